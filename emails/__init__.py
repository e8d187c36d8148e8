"""What the app sends: `emails.welcome(to=…, name=…)` returns an `EmailMessage`, ready to send.

Written out rather than found by looking, so that editors and mypy know `emails.welcome`.
"""

from emails.accounts import account_exists, password_reset, welcome
from emails.billing import payment_failed, receipt
from emails.compose import MAX_SUBJECT, Email, all_emails
from emails.contact import contact_notice
from emails.names import greeting_name
from emails.onboarding import onboarding_day_3
from emails.operation import marketing_paused

__all__ = [
    "MAX_SUBJECT",
    "Email",
    "account_exists",
    "all_emails",
    "contact_notice",
    "greeting_name",
    "marketing_paused",
    "onboarding_day_3",
    "password_reset",
    "payment_failed",
    "receipt",
    "welcome",
]
