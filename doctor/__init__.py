"""What an installer asks before the store opens: does every part of this agent work, and does the whole loop (row C10)?

`instore doctor --config edge.toml` looks at the machine, the broker and the hub, each device, and then drives the loop of each
lane: a test slip with a QR code comes out, is read back by the reader, the gate opens, and somebody is seen to pass.

- `finding`: what was found, and how it is said. Pure.
- `words`: every sentence, in Japanese and English. Pure.
- `machine`, `wire`, `radio`, `lane`: what is examined.
- `examine`: all of it, in order.
- `sheet`: the result as a page to print and sign.
"""
