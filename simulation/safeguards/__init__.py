"""The proof that the proof bites: each safeguard taken out in turn, and the seeds until a rule is broken."""
