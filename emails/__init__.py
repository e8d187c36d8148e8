"""What the app sends: `emails.welcome(to=…, name=…)` returns an `EmailMessage`, ready to send.

A function written in one of these modules is exported by that alone; a new module takes one line.
"""

from emails.accounts import *  # noqa: F403  a list of names here would have to be kept in step
from emails.billing import *  # noqa: F403  the same
from emails.contact import *  # noqa: F403  the same
