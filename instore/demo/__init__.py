"""A whole store in one command (row C9): real programs, real broker, real drivers, simulated hardware and shoppers."""
