"""The group that the commands of this package join."""

from flask.cli import AppGroup

email_commands = AppGroup("email", help="Try, list, show, retry, export, diagnose.")
