"""How often an endpoint may be asked: a count per caller and window of time, kept in the Django cache.

RFC 6749 section 2.3.1: "the authorization server MUST protect any endpoint utilizing it [a password] against brute
force attacks". Off unless THROTTLE_RATES names the endpoint.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass

from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured

from .settings import oauth2_settings

PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
RATE = re.compile(r"(\d+)/([smhd])[a-z]*")
DEFAULT_RATES = {"user_code": "10/hour"}
"""What holds where THROTTLE_RATES does not say; None there: no limit."""
KEY = "oauth2_provider:throttle:{}:{}:{}"


@dataclass(frozen=True, kw_only=True)
class Rate:
    """So many requests in so many seconds."""

    requests: int
    seconds: int


def find_rate(endpoint: str) -> Rate | None:
    """Return the rate of `endpoint` in THROTTLE_RATES, written like "60/minute"; None: no limit.

    Raises ImproperlyConfigured for one that is not written like that.
    """
    text = oauth2_settings.THROTTLE_RATES.get(endpoint, DEFAULT_RATES.get(endpoint))
    if not text:
        return None
    match = RATE.fullmatch(text)
    if match is None:
        raise ImproperlyConfigured(
            f"THROTTLE_RATES[{endpoint!r}] is {text!r}; write a number, a slash and second, minute, hour or day."
        )
    return Rate(requests=int(match[1]), seconds=PERIODS[match[2]])


def seconds_to_wait(endpoint: str, caller: str) -> int:
    """Count a request of `caller`; return how many seconds it has to wait, 0 if it may be answered now."""
    rate = find_rate(endpoint)
    if rate is None:
        return 0
    key, left = _window(endpoint, caller, rate)
    cache.add(key, 0, timeout=left + 1)
    try:
        count = cache.incr(key)
    except ValueError:  # evicted in between
        return 0
    return 0 if count <= rate.requests else left


def seconds_left(endpoint: str, caller: str) -> int:
    """Return how many seconds `caller` has to wait, 0 if it may ask now; nothing is counted."""
    rate = find_rate(endpoint)
    if rate is None:
        return 0
    key, left = _window(endpoint, caller, rate)
    return left if cache.get(key, 0) >= rate.requests else 0


def _window(endpoint: str, caller: str, rate: Rate) -> tuple[str, int]:
    """Return the key that counts in this window of time, and how many seconds of it are left."""
    window, elapsed = divmod(int(time.time()), rate.seconds)
    digest = hashlib.sha256(caller.encode("utf-8", "replace")).hexdigest()
    return KEY.format(endpoint, digest, window), rate.seconds - elapsed
