"""Errors as people and programs want them: JSON under `/api/`, a page everywhere else."""

import logging
import time

from flask import Flask, Response, jsonify, make_response, render_template, request
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, SecurityError

from database import db, why_unavailable
from errors import IntentConflict, InvalidMessage
from extensions import limiter

logger = logging.getLogger(__name__)


class ApiError(HTTPException):
    """A refusal with its status; `fields` says per field what is wrong."""

    def __init__(self, status: int, error: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(error)
        self.code = status
        self.fields = fields or {}


def init_app(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(CSRFError, _csrf_error)
    app.register_error_handler(InvalidMessage, _invalid_message)
    app.register_error_handler(SecurityError, _unknown_host)
    app.register_error_handler(SQLAlchemyError, _database_error)


def _answer(status: int, title: str, message: str, fields: dict[str, str]) -> Response:
    if request.path.startswith("/api/"):
        body = {"error": message} | ({"fields": fields} if fields else {})
        return make_response(jsonify(body), status)
    page = render_template("pages/error.html", status=status, title=title, message=message)
    return make_response(page, status)


def _http_error(error: HTTPException) -> Response:
    if error.response is not None:
        return make_response(error.response)
    status = error.code or 500
    message = error.description or error.name
    if status == 429:
        message = f"too many requests: {message}"
    fields = error.fields if isinstance(error, ApiError) else {}
    response = _answer(status, error.name, message, fields)
    if isinstance(error, RateLimitExceeded) and limiter.current_limit:
        wait = max(1, round(limiter.current_limit.reset_at - time.time()))
        response.headers["Retry-After"] = str(wait)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers.setdefault(name, value)
    return response


def _unknown_host(_error: SecurityError) -> Response:
    message = "this host is not served here; APP_URL says which one is"
    if request.path.startswith("/api/"):
        return _answer(400, "Unknown host", message, {})
    return Response(f"{message}\n", 400, mimetype="text/plain")  # no page: it could link nowhere


def _csrf_error(error: CSRFError) -> Response:
    message = "This form has expired. Go back, reload the page and send it again."
    if request.path.startswith("/api/"):
        message = "the CSRF token of the session is missing or old: send it as X-CSRFToken"
    return _answer(400, "Form expired", message, {})


def _invalid_message(error: InvalidMessage) -> Response:
    db.session.rollback()
    status = 409 if isinstance(error, IntentConflict) else 422
    fields = {error.field: str(error)} if error.field else {}
    return _answer(status, "Not accepted", str(error), fields)


def _database_error(error: SQLAlchemyError) -> Response:
    reason = why_unavailable(error)
    if reason is None:
        raise error  # a mistake in our code or SQL, which Flask logs and answers with 500
    logger.error("the database refused (%s)", reason)
    db.session.rollback()
    response = _answer(503, "Back in a moment", "the service cannot store this now; try again", {})
    response.headers["Retry-After"] = "5"
    return response
