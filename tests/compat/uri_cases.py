"""Ask the side that runs this about redirect URIs and origins: JSON on standard input and output.

In: `{"provider": {...}, "redirects": [[uri, registered], ...], "origins": [[origin, registered], ...]}`. Out: the
same lists of true, false, or the name of an exception.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import django
from django.conf import settings

question = json.load(sys.stdin)
settings.configure(
    SECRET_KEY="any",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    OAUTH2_PROVIDER=question["provider"],
)
django.setup()

from oauth2_provider.models import is_origin_allowed, redirect_to_uri_allowed  # noqa: E402


def answer(is_allowed: Callable[..., bool], uri: str, registered: str) -> bool | str:
    try:
        return is_allowed(uri, [registered])
    except ValueError as exc:
        return type(exc).__name__


json.dump(
    {
        "redirects": [answer(redirect_to_uri_allowed, *case) for case in question["redirects"]],
        "origins": [answer(is_origin_allowed, *case) for case in question["origins"]],
    },
    sys.stdout,
)
