"""The project beside the real django-oauth-toolkit."""

from __future__ import annotations
