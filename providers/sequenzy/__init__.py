"""Sequenzy (sequenzy.com): sending, its webhook, its subscribers."""

from providers.sequenzy.sending import Sequenzy

__all__ = ["Sequenzy"]
