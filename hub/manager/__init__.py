"""What the store's manager sees: the state of everything, the day's visits, and why each decision was as it was (row C7)."""
