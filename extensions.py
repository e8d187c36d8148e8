"""The Flask extensions, unbound: `app.create_app` binds them, everybody else imports them here.

`db` is passed on for your own views; the rooms take it from `database`.
"""

import re
from ipaddress import IPv6Address, IPv6Network, ip_address

from flask import request
from flask_limiter import Limiter
from flask_migrate import Migrate
from flask_wtf import CSRFProtect

from database import db
from email_service import EmailService

__all__ = ["client_network", "csrf", "db", "email", "limiter", "migrate"]


_WITH_PORT = re.compile(r"(?:([\d.]+)|\[([^\]]+)\]):\d+")  # as some load balancers forward it


def client_network() -> str:
    """Whom a limit counts: an address, or the /64 of an IPv6 one, all of which one customer has."""
    given = request.remote_addr or "127.0.0.1"
    with_port = _WITH_PORT.fullmatch(given)  # each connection of a client has another one
    try:
        address = ip_address(with_port[1] or with_port[2] if with_port else given)
    except ValueError:
        return given  # what a trusted proxy wrote
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Network((int(address), 64), strict=False))
    return str(address)


migrate = Migrate()
csrf = CSRFProtect()
limiter = Limiter(key_func=client_network)
email = EmailService()
