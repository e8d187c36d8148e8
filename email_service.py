"""`EmailService`: one email to one provider, now.

What must survive a crash goes through the outbox instead.
"""

import logging
from collections.abc import Sequence

from attrs import frozen
from flask import Flask, current_app

from errors import ConfigurationError, EmailSendError, InvalidMessage, OutcomeUnknown
from log_setup import email_line, mask
from message import Address, EmailMessage, UnsubscribeLinks
from providers import PROVIDERS, Provider, Receipt, SubscriberChange, WireRequest

logger = logging.getLogger(__name__)


@frozen
class _Wiring:
    providers: dict[str, Provider]
    chain: tuple[str, ...]
    from_email: Address
    links: UnsubscribeLinks
    redirect_to: Address | None
    allowed: tuple[str, ...] | None  # addresses and domains; None: all


class EmailService:
    """The Flask extension `email`. It holds no state of its own: each app has its providers.

    email.send(EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hello</p>"))
    """

    def init_app(self, app: Flask) -> None:
        """Build the providers that EMAIL_PROVIDER names. No connection is opened yet."""
        chain: tuple[str, ...] = app.config["EMAIL_PROVIDER"]
        app.extensions["email"] = _Wiring(
            providers={name: PROVIDERS[name].from_settings(app.config) for name in chain},
            chain=chain,
            from_email=app.config["FROM_EMAIL"],
            links=UnsubscribeLinks(app.config["APP_URL"], app.config["SIGNING_KEYS"]),
            redirect_to=app.config["EMAIL_REDIRECT_TO"],
            allowed=app.config["EMAIL_ALLOWED"],
        )

    @property
    def chain(self) -> tuple[str, ...]:
        """Names of the providers, the first choice first."""
        return self._wiring().chain

    @property
    def unsubscribe_links(self) -> UnsubscribeLinks:
        """The links that stop marketing to one address."""
        return self._wiring().links

    @property
    def redirect_to(self) -> Address | None:
        """Who gets every email in place of its recipients; None if they get it themselves."""
        return self._wiring().redirect_to

    @property
    def restriction(self) -> str:
        """In a sentence whom emails reach at all; empty if that is whoever they are to."""
        wiring = self._wiring()
        if wiring.redirect_to:
            return f"Every email goes to {wiring.redirect_to.email} (EMAIL_REDIRECT_TO)."
        if wiring.allowed is not None:
            return f"Emails go to {', '.join(wiring.allowed)} alone (EMAIL_ALLOWED)."
        return ""

    def refusal(self, address: str) -> str | None:
        """Why no email goes to `address`, whoever asks; None if one may."""
        wiring = self._wiring()
        if wiring.redirect_to or wiring.allowed is None:
            return None  # nobody but that one gets any
        named = {address.lower(), address.lower().rpartition("@")[2]}
        return None if named & {*wiring.allowed} else "EMAIL_ALLOWED does not name it"

    def refusal_of_change(self, address: str) -> str | None:
        """Why no change of a subscriber is made: a provider may write to those on its lists.

        While EMAIL_REDIRECT_TO is set, changes are made for that address alone.
        """
        only = self._wiring().redirect_to
        if only and only.email.lower() != address.lower():
            return "EMAIL_REDIRECT_TO is set"
        return self.refusal(address)

    def provider(self, name: str) -> Provider:
        """The provider `name`. Raises `ConfigurationError` if EMAIL_PROVIDER does not name it."""
        try:
            return self._wiring().providers[name]
        except KeyError:
            raise ConfigurationError(
                f"{name!r} is not configured; add it to EMAIL_PROVIDER ({', '.join(self.chain)})"
            ) from None

    def complete(self, message: EmailMessage) -> EmailMessage:
        """The message with all it needs to be sent: a sender, and marketing with its headers.

        Raises `InvalidMessage` for marketing to several at once: each needs a link of their own.
        """
        wiring = self._wiring()
        is_marketing = message.category == "marketing"
        if is_marketing and len(message.recipients) > 1:
            raise InvalidMessage("marketing goes to one address at a time", field="to")
        has_link = "list-unsubscribe" in (name.lower() for name in message.headers)
        adds_link = is_marketing and not has_link
        links = wiring.links.headers(message.to[0].email) if adds_link else {}
        return message.completed(wiring.from_email, links)

    def build(self, name: str, message: EmailMessage, key: str) -> WireRequest:
        """What would be posted to provider `name`, without posting it.

        Raises `InvalidMessage` for a recipient whom EMAIL_ALLOWED does not name.
        """
        message = self.complete(message)
        if only := self.redirect_to:
            message = message.redirected(only)
        for each in message.recipients:
            if why := self.refusal(each.email):
                raise InvalidMessage(f"{mask(each.email)}: {why}", field="to", provider=name)
        return self.provider(name).build(message, key)

    def post(self, name: str, request: WireRequest) -> Receipt:
        """One call to provider `name` with a built request. Raises `EmailSendError`."""
        return self.provider(name).post(request)

    def build_batch(self, name: str, requests: Sequence[WireRequest], key: str) -> WireRequest:
        """One call to provider `name` with the emails of several built requests."""
        return self.provider(name).build_batch(requests, key)

    def post_batch(
        self, name: str, request: WireRequest, count: int
    ) -> list[Receipt | EmailSendError]:
        """One call with a batch of `count`: what became of each. Raises `EmailSendError`."""
        return self.provider(name).post_batch(request, count)

    def change_subscriber(self, name: str, change: SubscriberChange, key: str) -> Receipt:
        """One change of a subscriber at provider `name`, now. Raises `EmailSendError`."""
        if why := self.refusal_of_change(change.email):
            raise InvalidMessage(f"{mask(change.email)}: {why}", field="email", provider=name)
        return self.provider(name).change_subscriber(change, key)

    def send(
        self, message: EmailMessage, provider: str | None = None, key: str | None = None
    ) -> Receipt:
        """Send now and return the provider's receipt; raises a member of `EmailSendError`.

        With `provider` it is exactly one call to that one. Without, the next provider of
        EMAIL_PROVIDER is tried while the error says that no second copy can come of it. `key` is
        the idempotency key, by default the message's own id: repeating the same message object
        is safe where the provider honours keys. An unknown outcome on a chain of several is not
        retryable: only a repeat that names its `provider` is sure to stay there.
        """
        *earlier, last = (provider,) if provider else self.chain
        try:
            return self._send_along(earlier, last, message, key or message.id)
        except OutcomeUnknown as error:
            if earlier:  # a repeat could reach another provider, which knows nothing of this one
                error.retryable = False
            raise

    def _send_along(
        self, earlier: list[str], last: str, message: EmailMessage, key: str
    ) -> Receipt:
        for name in earlier:
            try:
                return self._send_with(name, message, key)
            except EmailSendError as error:
                if not error.failover_safe:
                    raise
        return self._send_with(last, message, key)

    def _send_with(self, name: str, message: EmailMessage, key: str) -> Receipt:
        to = message.to[0].email
        try:
            receipt = self.post(name, self.build(name, message, key))
        except EmailSendError as error:
            facts = {"provider": name, "status": error.status or None}
            kind = type(error).__name__
            email_line(logger, logging.WARNING, "failed", email_id=key, to=to, **facts, error=kind)
            raise
        facts = {"provider": name, "status": receipt.status}
        email_line(logger, logging.INFO, "accepted", email_id=key, to=to, **facts)
        return receipt

    def _wiring(self) -> _Wiring:
        wiring: _Wiring = current_app.extensions["email"]
        return wiring
