"""Resend (resend.com): sending, its webhook, its contacts."""

from providers.resend.sending import Resend

__all__ = ["Resend"]
