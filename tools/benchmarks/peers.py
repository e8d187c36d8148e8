"""What others offer for one email now, each as a function that sends it once.

`SENDERS` has one factory a contender: it takes the provider's address and returns the function.
Those whose package is not installed are left out.
"""

import http.client
import importlib.util
import json
import os
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import requests

from tools.benchmarks.sample import HTML, RECIPIENT, SENDER, SUBJECT, TEXT

Send = Callable[[], object]

KEY = "re_a_key_of_the_benchmarks"
TIMEOUT = 30  # seconds, as the guide has it


class GuideService:
    """Sending as the guide does: one session, `post(json=)`, and the answer's JSON."""

    def __init__(self, api_key: str, from_email: str, base_url: str) -> None:
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {api_key}"
        self.session.headers["Content-Type"] = "application/json"
        self.from_email = from_email
        self.base_url = base_url

    def send(self, to: str, subject: str, html: str) -> object:
        message = {"from": self.from_email, "to": to, "subject": subject, "html": html}
        answer = self.session.post(f"{self.base_url}/emails", json=message, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.json()


def by_guide(url: str) -> Send:
    service = GuideService(KEY, SENDER, url)
    return lambda: service.send(RECIPIENT, SUBJECT, HTML)


def by_http_client(url: str) -> Send:
    """The standard library, one connection kept: what is left beneath every other."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}

    def send() -> object:
        message = {
            "from": SENDER, "to": RECIPIENT, "subject": SUBJECT, "html": HTML, "text": TEXT,
        }  # fmt: skip
        connection.request("POST", "/emails", json.dumps(message).encode(), headers)
        answer = connection.getresponse()
        read = json.loads(answer.read())
        if answer.status != http.client.OK:
            raise RuntimeError(f"answered {answer.status}")
        return read

    return send


def by_resend(url: str) -> Send:
    import resend

    resend.api_key, resend.api_url = KEY, url
    message: resend.Emails.SendParams = {
        "from": SENDER,
        "to": [RECIPIENT],
        "subject": SUBJECT,
        "html": HTML,
        "text": TEXT,
    }
    return lambda: resend.Emails.send(message)


def by_sendgrid(url: str) -> Send:
    from sendgrid import SendGridAPIClient
    from sendgrid.helpers.mail import Mail

    client = SendGridAPIClient(KEY, host=url)
    return lambda: client.send(
        Mail(SENDER, RECIPIENT, SUBJECT, plain_text_content=TEXT, html_content=HTML)
    )


def by_sequenzy(url: str) -> Send:
    import sequenzy  # type: ignore[import-untyped]  # it ships no types

    client = sequenzy.Sequenzy(api_key=KEY, base_url=f"{url}/api/v1", max_retries=0)
    return lambda: client.transactional.send(to=RECIPIENT, subject=SUBJECT, body=HTML)


def by_anymail(url: str) -> Send:
    """Django's mail with anymail's Resend backend; one connection a mail, as `send()` does."""
    import django
    from django.conf import settings
    from django.core.mail import EmailMultiAlternatives

    settings.configure(
        EMAIL_BACKEND="anymail.backends.resend.EmailBackend",
        ANYMAIL={"RESEND_API_KEY": KEY, "RESEND_API_URL": url},
    )
    django.setup()

    def send() -> object:
        message = EmailMultiAlternatives(SUBJECT, TEXT, SENDER, [RECIPIENT])
        message.attach_alternative(HTML, "text/html")
        return message.send()

    return send


_FACTORIES: dict[str, tuple[str, Callable[[str], Send]]] = {
    "Resend SDK": ("resend", by_resend),
    "SendGrid SDK": ("sendgrid", by_sendgrid),
    "Sequenzy SDK": ("sequenzy", by_sequenzy),
    "django-anymail": ("anymail", by_anymail),
    "the guide's session.post": ("requests", by_guide),
    "http.client, kept alive": ("http", by_http_client),
}

SENDERS = {
    name: factory
    for name, (package, factory) in _FACTORIES.items()
    if importlib.util.find_spec(package)
}
