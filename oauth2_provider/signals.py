"""The provider's signals."""

from __future__ import annotations

from django.dispatch import Signal

app_authorized = Signal()
"""Sent when the token endpoint has issued an access token.

Arguments: `sender` (the view), `request` (HttpRequest), `token` (the AccessToken instance).
"""
