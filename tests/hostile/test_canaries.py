"""At DEBUG, through every flow: no line of the log holds what was typed, or what opens a door."""

import html
import re

from message import new_id
from tests.hostile.pages import Visitor
from tools.simulator_process import Simulator
from tools.site import JSON, Site, mail_to


def test_no_secret_and_no_address_of_any_flow_is_logged(
    postgresql_site: Site, simulator_process: Simulator
):
    site, mark = postgresql_site, new_id()
    address, name = f"canary-{mark}@example.com", f"Canary {mark}"
    password, wrong, renewed = (f"{word} {mark}" for word in ("right", "wrong", "newer"))
    body, token, event = (f"{word}-{mark}" for word in ("body", "token", "event"))
    visitor, stranger = Visitor(site), Visitor(site)
    who = {"name": name, "email": address}

    def link(page: str) -> str:
        """What opens a page, from the emails so far."""
        mails = "".join(mail["html"] for mail in simulator_process.accepted(address))
        return html.unescape(re.findall(rf'"https://[^/"]+/{page}([^"]+)"', mails)[-1])

    assert visitor.submit("/signup", who | {"password": password}).status == 302
    mail_to(simulator_process, address)
    confirm = link("confirm/")
    assert visitor.submit(f"/confirm/{confirm}", {}).status == 302
    opening = set(visitor.cookies.values())
    assert visitor.submit("/login", {"email": address, "password": wrong}).status == 400
    assert visitor.submit("/login", {"email": address, "password": password}).status == 302
    assert visitor.submit("/contact", who | {"message": body}).status == 302
    assert stranger.submit("/forgot-password", {"email": address}).status == 302
    mail_to(simulator_process, address, 2)
    reset = link(r"reset-password\?token=")
    assert stranger.submit(f"/reset-password?token={reset}", {"password": renewed}).status == 302
    assert stranger.get(f"/unsubscribe/{token}").status == 404
    refused = ("Authorization", f"Bearer {token}")
    assert site.send("POST", "/api/send", [JSON, refused]).status == 401
    assert site.post_json("/api/send", {"message": body}).status == 400
    for sender in ("stripe", "resend", "sendgrid", "sequenzy"):
        signed = [JSON, ("Stripe-Signature", token), ("Svix-Signature", token)]
        answer = site.send("POST", f"/api/webhooks/{sender}", signed, event.encode())
        assert (sender, answer.status) == (sender, 400)
    log = site.process.output()
    assert "account password_changed account=" in log.replace('", "', " ")
    cookies = {*opening, *visitor.cookies.values(), *stranger.cookies.values()} - {""}
    typed = {address, address.replace("@", "%40"), name, password, wrong, renewed, body}
    secrets = {*typed, *cookies, token, event, confirm, reset}
    assert [line for line in log.splitlines() if any(each in line for each in secrets)] == []
    site.check_log()
