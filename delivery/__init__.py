"""Nothing lost, nothing twice: delivery end to end, written once for edge and hub (row C1, design).

MQTT's QoS ends at the next hop, client libraries keep sessions in memory, brokers drop queues. So the broker may be as
forgetful as it likes:

- `streams`  the rules, pure: which numbers to send now, what to take, what to ask for again.
- `journal`  the SQLite file of one process: its outbox, the marks of what it has taken, and the application's tables.
- `engine`   one transaction per batch: check numbers, apply effects, write what follows, commit, acknowledge.
- `link`     the one file that knows the MQTT client library.
- `node`     the asyncio loop around engine and link.
"""
