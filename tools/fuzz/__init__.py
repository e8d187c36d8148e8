"""Seeded mutations of signed webhooks against the running app; `python -m tools.drill fuzz`."""
