"""Passwords: what hashing costs, and which are refused with which words."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from blueprints import passwords
from message import EmailMessage
from models import Signup
from tests.blueprints.conftest import PRODUCTION, add_user, link_in, opens, stored
from tests.conftest import MakeApp

ANN = {"name": "Ann Lee", "email": "ann.lee@example.com"}
COMMON = ["12345678", "password", "PassWord1", "iloveyou", "qwertyuiop", "trustno1", "1q2w3e4r5t"]
PERSONAL = ["ann.lee@example.com", "Ann Lee1", "annlee2026", "1980ANN-LEE"]


@pytest.mark.parametrize("password", [*COMMON, *PERSONAL])
def test_a_sign_up_with_an_easy_password_is_refused_at_its_field(
    client: FlaskClient, app: Flask, password: str
):
    page = client.post("/signup", data=ANN | {"password": password})
    assert page.status_code == 400
    assert ("Many people use this password" in page.text) == (password in COMMON)
    assert ("Your name or address is easy to guess" in page.text) == (password in PERSONAL)
    assert stored(app, Signup) == 0


@pytest.mark.parametrize("password", ["trustno1", "annlee2026"])
@pytest.mark.parametrize("page", ["reset-password", "confirm"])
def test_so_it_is_by_a_link_which_stays_usable(
    client: FlaskClient, app: Flask, outbox_emails: list[EmailMessage], page: str, password: str
):
    if page == "confirm":
        client.post("/api/signup", json=ANN)
    else:
        add_user(app, ANN["email"], ANN["name"])
        client.post("/api/password-reset", json=ANN)
    link = link_in(outbox_emails[-1].text, page)
    assert client.post(link, data={"password": password}).status_code == 400
    assert client.post(link, data={"password": "annual leek soup"}).status_code == 302
    assert opens(app.test_client(), ANN["email"], "annual leek soup")


@pytest.mark.parametrize("password", ["annual leek soup", "20260101#!?", "correct horse battery"])
def test_others_are_taken(client: FlaskClient, password: str):
    form = {"name": "42", "email": "7@example.com", "password": password}
    assert client.post("/signup", data=form).status_code == 302


def test_the_list_holds_the_10000_commonest_that_are_long_enough():
    common = passwords._common()
    assert len(common) > 10_000
    assert all(len(each) >= 8 and each == each.lower() for each in common if each)


def test_a_hash_costs_what_owasp_asks_for(make_app: MakeApp):
    app = make_app(**PRODUCTION | {"TESTING": False, "EMAIL_DELIVERY": "sync"})
    with app.app_context():
        hashed = passwords.hash_password("correct horse battery")
        assert hashed.startswith("scrypt:131072:8:1$")
        assert passwords.matches(hashed, "correct horse battery")
        assert not passwords.matches(None, "correct horse battery")


def test_hashes_of_many_at_once_take_turns(app: Flask, monkeypatch: pytest.MonkeyPatch):
    inside, most = 0, 0
    counting, too_many = threading.Lock(), threading.Event()

    def slow(_hash: str, _password: str) -> bool:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
        if inside > passwords.AT_ONCE:
            too_many.set()
        too_many.wait(0.1)  # for others to come in as well
        with counting:
            inside -= 1
        return False

    def compare(_: int) -> bool:
        with app.app_context():
            return passwords.matches(None, "x")

    monkeypatch.setattr(passwords, "check_password_hash", slow)
    with ThreadPoolExecutor(6) as pool:
        assert not any(pool.map(compare, range(6)))
    assert most <= passwords.AT_ONCE
