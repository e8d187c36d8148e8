"""`flask email ...`, the commands found by looking: a new one goes into a file beside these."""

import importlib
import pkgutil

from cli.group import email_commands

__all__ = ["email_commands"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
