"""One form class serves the page and the JSON route; this file reads both kinds of input."""

import json
import re
from typing import Any, Self

from flask import current_app, request
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import EmailField, Field, PasswordField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Optional, ValidationError

from blueprints.errors import ApiError
from blueprints.passwords import why_easy
from errors import InvalidMessage
from message import Address, one_line

_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def usable_address(form: FlaskForm, field: Any) -> None:
    """The field holds one usable address, which replaces what was typed."""
    try:
        address = Address.parse(Address((field.data or "").strip()), "email")
    except InvalidMessage:
        address = None
    if address is None or (address.is_local and not current_app.debug):
        raise ValidationError("Enter an email address like name@example.com.")
    field.data = address.email


def words_on_one_line(form: FlaskForm, field: Any) -> None:
    """The field holds words on one line, without control characters and in one direction.

    Characters that turn the direction of what follows would turn our own words in a subject, too.
    """
    field.data = (field.data or "").strip()
    if _TURNS.search(field.data):
        raise ValidationError("Remove the invisible characters that change the direction of text.")
    try:
        one_line(field.data, field.name, 1000)
    except InvalidMessage:
        raise ValidationError("Use one line of ordinary characters.") from None


def storable(form: FlaskForm, field: Any) -> None:
    """The text can be stored and sent: no NUL, no half of a surrogate pair."""
    if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in field.data or ""):
        raise ValidationError("Remove the characters that cannot be sent.")


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF ships no types
    """Base of our forms: it reads a page's form data or a JSON object, and never confuses them."""

    @classmethod
    def from_page(cls) -> Self:
        """The form as posted by a page; a request body that is no form counts as empty."""
        return cls(formdata=request.form if request.method == "POST" else None)

    @classmethod
    def from_json(cls) -> Self:
        """The validated form from a JSON object. Unknown keys are ignored.

        Raises `ApiError`: 415 not JSON, 400 malformed or a field missing, 422 a bad value.
        """
        given = _json_object()
        known = [name for name in cls(meta={"csrf": False})._fields if name != "csrf_token"]
        wrong = {
            name: "must be text"
            for name in known
            if not isinstance(given.get(name, ""), str | None)
        }
        if wrong:
            raise ApiError(422, f"{' and '.join(wrong)} must be text", wrong)
        values = {name: given[name] for name in known if given.get(name) is not None}
        form = cls(formdata=MultiDict(values), meta={"csrf": False})
        form._insist_on_required()
        if not form.validate():
            errors = {name: str(messages[0]) for name, messages in form.errors.items()}
            raise ApiError(422, f"{' and '.join(errors)} not valid", errors)
        return form

    def _insist_on_required(self) -> None:
        missing = self.missing()
        if missing:
            names = " and ".join(field.name for field in self if field.flags.required)
            raise ApiError(400, f"{names} required", dict.fromkeys(missing, "required"))

    def missing(self) -> list[str]:
        """The names of the required fields that were left empty."""
        required = (field for field in self if field.flags.required)
        return [field.name for field in required if not (field.data or "").strip()]


def text(field: Field) -> str:
    """What a field holds; the empty text where it was left out."""
    return field.data or ""


def _json_object() -> dict[str, Any]:
    if not request.is_json:
        raise ApiError(415, "send JSON with Content-Type: application/json")
    try:
        value = json.loads(request.get_data())
    except (ValueError, RecursionError):  # ValueError: also bad UTF-8 and numbers without end
        raise ApiError(400, "the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise ApiError(400, "the body must be a JSON object")
    return value


def _name(label: str = "Name") -> StringField:
    return StringField(
        label,
        [DataRequired("Enter a name."), Length(max=100), words_on_one_line],
        render_kw={"autocomplete": "name"},
    )


def _email() -> EmailField:
    return EmailField(
        "Email",
        [DataRequired("Enter an email address."), usable_address],
        render_kw={"autocomplete": "email"},
    )


def _new_password() -> PasswordField:
    return PasswordField(
        "Password",
        [DataRequired("Enter a password."), Length(8, 200, "Use at least 8 characters."), storable],
        render_kw={"autocomplete": "new-password"},
    )


def _hard_to_guess(field: Field, address: str, name: str) -> None:
    if field.data and (why := why_easy(field.data, address, name)):
        raise ValidationError(why)


class WelcomeForm(Form):
    """`POST /api/send` and `/api/send-welcome`."""

    name = _name()
    email = _email()


class SignupForm(Form):
    """`POST /api/signup`. The password is asked for by the page that confirms the address."""

    name = _name()
    email = _email()


class SignupPageForm(SignupForm):
    """The page asks for a password, which counts in its own browser."""

    password = _new_password()

    def validate_password(self, field: Field) -> None:
        """WTForms calls this by its name."""
        _hard_to_guess(field, text(self.email), text(self.name))


class LoginForm(Form):
    """`POST /login`."""

    email = _email()
    password = PasswordField(
        "Password",
        [DataRequired("Enter your password."), Length(max=200)],
        render_kw={"autocomplete": "current-password"},
    )


class ForgotPasswordForm(Form):
    """`POST /api/password-reset` and `/forgot-password`."""

    email = _email()


class ResetPasswordForm(Form):
    """`POST /reset-password` and `/confirm/<token>`. `owner`: the address and name of who asks."""

    password = _new_password()
    owner = ("", "")

    def validate_password(self, field: Field) -> None:
        """WTForms calls this by its name."""
        _hard_to_guess(field, *self.owner)


class SendSampleForm(Form):
    """`POST /preview/<name>`: who gets the sample."""

    email = _email()


class ContactForm(Form):
    """`POST /contact`. People do not see `website`; whoever fills it in is a program."""

    name = _name("Your name")
    email = _email()
    message = TextAreaField(
        "Message",
        [DataRequired("Write a message."), Length(max=5000), storable],
        render_kw={"rows": 8},
    )
    website = StringField("Website", [Optional()])
