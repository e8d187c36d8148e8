"""SendGrid (Twilio): sending, its event webhook, its marketing contacts."""

from providers.sendgrid.sending import SendGrid

__all__ = ["SendGrid"]
