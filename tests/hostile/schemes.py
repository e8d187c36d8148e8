"""The signature schemes that the fuzzer runs. A new one needs `name`, `path` and `mutate`."""

from tests.hostile.mutations import Scheme
from tests.hostile.sendgrid_scheme import SendGrid
from tests.hostile.sequenzy_scheme import Sequenzy
from tests.hostile.stripe_scheme import Stripe
from tests.hostile.svix_scheme import Resend

SCHEMES: tuple[Scheme, ...] = (Stripe(), Resend(), Sequenzy(), SendGrid())
