"""The signature schemes that the fuzzer runs. A new one needs `name`, `path` and `mutate`."""

from tools.fuzz.mutations import Scheme
from tools.fuzz.resend import ResendScheme
from tools.fuzz.sendgrid import SendGridScheme
from tools.fuzz.sequenzy import SequenzyScheme
from tools.fuzz.stripe import StripeScheme

SCHEMES: tuple[Scheme, ...] = (StripeScheme(), ResendScheme(), SequenzyScheme(), SendGridScheme())
