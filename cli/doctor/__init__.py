"""`flask email doctor` and `check-domain`: what is wrong, and what to do about it."""

from cli.doctor import commands

__all__ = ["commands"]
