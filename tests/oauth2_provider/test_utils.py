"""Small helpers with a public name."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from jwcrypto.jwk import JWK

from oauth2_provider.utils import (
    USER_CODE_ALPHABET,
    get_timezone,
    jwk_from_pem,
    parse_bearer_token,
    user_code_generator,
)


def test_a_key_is_parsed_once() -> None:
    pem = JWK.generate(kty="EC", crv="P-256").export_to_pem(private_key=True, password=None).decode()

    key = jwk_from_pem(pem)

    assert jwk_from_pem(pem) is key
    assert key.export_to_pem(private_key=True, password=None).decode() == pem


def test_a_time_zone_comes_from_zoneinfo() -> None:
    assert get_timezone("Europe/Rome") == ZoneInfo("Europe/Rome")


def test_a_time_zone_comes_from_pytz_only_where_the_site_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytz = ModuleType("pytz")
    pytz.timezone = lambda name: f"pytz {name}"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pytz", pytz)

    with override_settings(USE_DEPRECATED_PYTZ=True):
        assert get_timezone("Europe/Rome") == "pytz Europe/Rome"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("  Bearer   abc ", "abc"),
        ("Bearer", None),
        ("Bearer  ", None),
        ("Basic abc", None),
        ("Bearerabc", None),
        ("", None),
        (None, None),
    ],
)
def test_a_bearer_token_is_read_from_its_header(header: str | None, token: str | None) -> None:
    """RFC 6750 section 2.1; the scheme is case-insensitive (RFC 9110 section 11.1)."""
    assert parse_bearer_token(header) == token


def test_user_codes_are_consonants_only() -> None:
    """RFC 8628 section 6.1."""
    code: Any = user_code_generator(20)

    assert len(code) == 20
    assert set(code) <= set(USER_CODE_ALPHABET)
    assert not set(USER_CODE_ALPHABET) & set("AEIOUY0123456789")
    assert len(user_code_generator()) == 8


def test_a_user_code_without_characters_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        user_code_generator(0)
