"""The Flask extensions, unbound: `app.create_app` binds them, everybody else imports them here.

`db` is passed on for your own views; the rooms take it from `database`.
"""

from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_migrate import Migrate
from flask_wtf import CSRFProtect

from database import db
from email_service import EmailService

__all__ = ["csrf", "db", "email", "limiter", "migrate"]

migrate = Migrate()
csrf = CSRFProtect()
limiter = Limiter(key_func=get_remote_address)
email = EmailService()
