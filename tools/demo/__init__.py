"""Everything together on your machine: web, worker, Valkey, and a provider that reports back.

    python -m tools.demo --provider sendgrid --port 8000

It has a database of its own, which is gone when it ends.
"""
