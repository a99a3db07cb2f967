"""What tests name in settings by a dotted path."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from oauthlib.oauth2.rfc8628.errors import AccessDenied

from oauth2_provider.generators import BaseHashGenerator


class OtherGenerator(BaseHashGenerator):
    def hash(self) -> str:
        return "another"


def two_minutes(request: Any) -> timedelta:
    return timedelta(minutes=2)


def user_code() -> str:
    return "wdjb-mjht"


def refuse(request: Any) -> None:
    raise AccessDenied(request=request)
