"""Webhooks from outside: the secrets here, and whether the running app takes a signed event."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import requests
from attrs import frozen
from urllib3.exceptions import HTTPError

from cli.doctor.checks import Check, hint, ok, problem
from providers import PROVIDERS, Answer, SignedEvent, stripe_digest

PATIENCE = 5.0  # seconds for one call
MAX_ANSWER = 64 * 1024  # bytes


@frozen
class Source:
    """Who posts to `/api/webhooks/<name>`, with the secrets we hold for it."""

    name: str
    setting: str
    secrets: tuple[str, ...]
    secret_error: Callable[[str], str | None]
    test_event: Callable[[str, str, str], SignedEvent | None]


def sources(settings: Mapping[str, Any]) -> list[Source]:
    """The providers in use that have a webhook, and Stripe."""
    found = []
    for name in settings["EMAIL_PROVIDER"]:
        webhook = PROVIDERS[name].webhook
        if webhook:
            secrets, check = settings[webhook.setting], webhook.secret_error
            found.append(Source(name, webhook.setting, secrets, check, webhook.test_event))
    setting = "STRIPE_WEBHOOK_SECRET"
    stripe = Source("stripe", setting, settings[setting], _stripe_secret_error, _stripe_event)
    return [*found, stripe]


def check_secret(source: Source) -> Check:
    """Whether the secrets are there and can be this vendor's."""
    line, setting = f"{source.name}-secret", source.setting
    if not source.secrets:
        if source.name == "stripe":
            text = f"{setting} is not set: Stripe's webhook answers 503"
            return hint(line, text, f"set {setting} if you take payments with Stripe")
        return problem(
            line,
            f"{setting} is not set: bounces and complaints cannot come back",
            f"create the webhook APP_URL/api/webhooks/{source.name} at {source.name}, and set "
            f"{setting} to what it shows",
        )
    for number, secret in enumerate(source.secrets, start=1):
        error = source.secret_error(secret)
        if error:
            which = f" (number {number} of {len(source.secrets)})" if number > 1 else ""
            return problem(
                line,
                f"{setting}{which} cannot be {source.name}'s: {error}",
                f"copy {setting} anew from the webhook's page at {source.name}",
            )
    return ok(line)


def check_web(app_url: str) -> Check:
    """Whether this app answers at APP_URL."""
    answer = _call("GET", f"{app_url}/healthz")
    if isinstance(answer, str):
        return problem("web", f"{app_url} {answer}", "start the app there, or correct APP_URL")
    if answer.status == 200 and answer.get("status") == "ok":
        return ok("web", app_url)
    if 300 <= answer.status < 400:
        place = answer.headers.get("Location", "elsewhere")
        return problem(
            "web",
            f"{app_url} redirects to {place}, and no provider follows",
            "set APP_URL to the address that answers by itself",
        )
    return problem(
        "web",
        f"{app_url}/healthz answers {answer.status}: it is another program, or runs with "
        "another APP_URL",
        "start the app there with these settings, or correct APP_URL",
    )


def check_delivery(source: Source, app_url: str) -> Check:
    """What the running app says to an event that means nothing, signed by us."""
    line = f"{source.name}-webhook"
    url = f"{app_url}/api/webhooks/{source.name}"
    signed = source.test_event(f"ping-{uuid4()}", str(int(time.time())), source.secrets[0])
    # Where only the vendor can sign, a guarded webhook is one that refuses.
    event = signed or SignedEvent(body=b'[{"event": "ping"}]', headers={})
    answer = _call("POST", url, event)
    if isinstance(answer, str):
        return problem(line, f"{url} {answer}", "look at the log of the app there")
    if answer.status == (200 if signed else 400):
        return ok(line, url)
    return _explain(line, source, url, answer)


def _explain(line: str, source: Source, url: str, answer: Answer) -> Check:
    status, setting = answer.status, source.setting
    restart = f"restart the app at APP_URL with {setting} as it is here"
    if status == 503 and setting in _error(answer):
        return problem(line, f"the app at {url} runs without {setting}", restart)
    if status == 400:
        return problem(line, f"the app at {url} holds another {setting}", restart)
    if status == 404:
        return problem(
            line, f"there is no {url}", "deploy this version of the app there, or correct APP_URL"
        )
    if status == 200:
        return problem(line, f"{url} takes events without a signature", restart)
    said = _error(answer) or answer.headers.get("Location", "")
    return problem(
        line,
        f"{url} answers {status} {said}".rstrip(),
        "look at the log of the app there, and at what stands before it",
    )


def _error(answer: Answer) -> str:
    return str(answer.get("error") or "")[:200]


def _call(method: str, url: str, event: SignedEvent | None = None) -> Answer | str:
    """The answer, or why there is none."""
    headers = {"Content-Type": "application/json", **(event.headers if event else {})}
    body = event.body if event else None
    try:
        with requests.request(
            method,
            url,
            data=body,
            headers=headers,
            timeout=PATIENCE,
            allow_redirects=False,
            stream=True,  # whatever answers there, only its first bytes are read
        ) as response:
            text = response.raw.read(MAX_ANSWER, decode_content=True).decode("utf-8", "replace")
            return Answer(status=response.status_code, headers=response.headers, text=text)
    except requests.exceptions.SSLError as error:
        return f"has a certificate that is not accepted: {error}"
    except requests.Timeout:
        return f"does not answer within {PATIENCE:g} s"
    except (requests.RequestException, HTTPError, OSError) as error:
        return f"does not answer ({type(error).__name__})"


def _stripe_secret_error(secret: str) -> str | None:
    return None if secret.startswith("whsec_") else "it does not begin with whsec_"


def _stripe_event(event_id: str, timestamp: str, secret: str) -> SignedEvent:
    event = {"id": event_id, "object": "event", "type": "ping", "data": {"object": {}}}
    body = json.dumps(event).encode()
    signature = f"t={timestamp},v1={stripe_digest(body, timestamp, secret).hex()}"
    return SignedEvent(body=body, headers={"Stripe-Signature": signature})
