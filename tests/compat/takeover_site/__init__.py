"""A site that was built on django-oauth-toolkit: the same code runs on either side of the takeover."""

from __future__ import annotations
