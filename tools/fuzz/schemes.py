"""The signature schemes that the fuzzer runs. A new one needs `name`, `path` and `mutate`."""

from tools.fuzz.mutations import Scheme
from tools.fuzz.resend import Resend
from tools.fuzz.sendgrid import SendGrid
from tools.fuzz.sequenzy import Sequenzy
from tools.fuzz.stripe import Stripe

SCHEMES: tuple[Scheme, ...] = (Stripe(), Resend(), Sequenzy(), SendGrid())
