"""Seeded mutations of signed webhooks, sent to the running app and judged."""
