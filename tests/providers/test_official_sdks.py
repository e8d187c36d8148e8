"""The vendors' own clients send the message `full`, and the simulator gets the same JSON from us.

Every field that we send is one that the SDK has too. What is ours to choose is given to the SDK as
we choose it: the cleaned tags of Resend, `email_id`, and how literal braces survive at Sequenzy.
"""

from typing import Any, cast

import httpx
import pytest
import resend
import sequenzy  # type: ignore[import-untyped] # it ships no types
from sendgrid import SendGridAPIClient
from sendgrid.helpers import mail as sg

from tests.providers.samples import ID, KEY, MakeProvider, full, send
from tools.simulator_process import Simulator

HEADERS = {"X-Ref": "r-1", "List-Unsubscribe": "<https://acme.co/u>"}
FILE, LOGO = "aGk=", "iVBORw=="  # in base64
SUBJECT, HTML, TEXT = full().subject, full().html, full().text


def by_sequenzy(url: str) -> None:
    with httpx.Client(trust_env=False) as http:
        client = sequenzy.Sequenzy(
            api_key=KEY, base_url=f"{url}/api/v1", max_retries=0, httpx_client=http
        )
        client.transactional.send(
            to=["ann@example.com", "ben@example.com"],
            cc=["cy@example.com"],
            bcc=["dee@example.com"],
            from_='"Acme, Inc." <a@acme.co>',
            reply_to='"Jörg at help" <help@acme.co>',
            subject=SUBJECT.replace("{{", "{{open_braces}}"),
            body=HTML.replace("{{", "&#123;&#123;"),
            variables={"open_braces": "{{"},
            headers=HEADERS,
            attachments=[
                sequenzy.Attachment(
                    filename="Übersicht.txt", content=FILE, content_type="text/plain"
                ),
                sequenzy.Attachment(
                    filename="logo.png", content=LOGO, content_type="image/png", content_id="logo"
                ),
            ],
            idempotency_key=ID,
        )


def by_resend(url: str) -> None:
    tags = {
        "welcome": "true",
        "spring_sale": "true",
        "order": "42",
        "plan_name": "Pro__yearly",
        "email_id": ID,
    }
    params = {
        "from": '"Acme, Inc." <a@acme.co>',
        "to": ['"Ann Müller" <ann@example.com>', "ben@example.com"],
        "cc": ['"Doe, Cy" <cy@example.com>'],
        "bcc": ["dee@example.com"],
        "reply_to": ['"Jörg at help" <help@acme.co>'],
        "subject": SUBJECT,
        "html": HTML,
        "text": TEXT,
        "headers": HEADERS,
        "attachments": [
            {"filename": "Übersicht.txt", "content": FILE, "content_type": "text/plain"},
            {
                "filename": "logo.png",
                "content": LOGO,
                "content_type": "image/png",
                "content_id": "logo",
            },
        ],
        "tags": [
            {"name": name, "value": value} for name, value in {**tags, "email_id": ID}.items()
        ],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resend, "api_key", KEY)
        patch.setattr(resend, "api_url", url)
        resend.Emails.send(cast(Any, params), {"idempotency_key": ID})


def by_sendgrid(url: str) -> None:
    mail = sg.Mail(
        from_email=sg.Email("a@acme.co", "Acme, Inc."),
        to_emails=[sg.To("ann@example.com", "Ann Müller"), sg.To("ben@example.com")],
        subject=SUBJECT,
        # The SDK itself puts the text before the HTML.
        html_content=HTML,
        plain_text_content=TEXT,
    )
    mail.add_cc(sg.Cc("cy@example.com", "Doe Cy"))
    mail.add_bcc(sg.Bcc("dee@example.com"))
    mail.reply_to = sg.ReplyTo("help@acme.co", "Jörg at help")
    for name, value in HEADERS.items():
        mail.add_header(sg.Header(name, value))
    for name, value in {"order": "42", "plan name": "Pro: yearly", "email_id": ID}.items():
        mail.personalizations[0].add_custom_arg(sg.CustomArg(name, value))
    # Of attachments and categories the SDK puts the last one first.
    mail.add_attachment(sg.Attachment(LOGO, "logo.png", "image/png", "inline", "logo"))
    mail.add_attachment(sg.Attachment(FILE, "Übersicht.txt", "text/plain", "attachment"))
    mail.add_category(sg.Category("spring sale"))
    mail.add_category(sg.Category("welcome"))
    bypass = sg.BypassUnsubscribeManagement(enable=True)
    mail.mail_settings = sg.MailSettings(bypass_unsubscribe_management=bypass)
    SendGridAPIClient(KEY, host=url).send(mail)


@pytest.mark.parametrize(
    ("name", "send_by_sdk"),
    [("sequenzy", by_sequenzy), ("resend", by_resend), ("sendgrid", by_sendgrid)],
)
def test_our_json_is_that_of_the_official_sdk(
    make_provider: MakeProvider, simulator: Simulator, name, send_by_sdk
):
    send_by_sdk(simulator.url)
    [theirs] = simulator.accepted()
    simulator.clear()
    send(make_provider(name), full(), ID)
    [ours] = simulator.accepted()
    assert ours["payload"] == theirs["payload"]
    assert ours["idempotency_key"] == theirs["idempotency_key"]
