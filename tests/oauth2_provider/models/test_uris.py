"""Who may redirect where, and who may call from where."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import override_settings

from oauth2_provider.models import (
    check_redirect_to_uri_allowed,
    is_origin_allowed,
    redirect_to_uri_allowed,
)

REGISTERED = "https://client.example/cb"


@pytest.mark.parametrize(
    "uri",
    [REGISTERED, "https://CLIENT.example/cb", "HTTPS://client.example/cb", "https://client.example:/cb"],
)
def test_a_registered_uri_is_allowed_whatever_the_case_of_scheme_and_host(uri: str) -> None:
    """RFC 3986 section 6.2.2.1."""
    assert redirect_to_uri_allowed(uri, ["https://other.example/", REGISTERED])


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://client.example/cb", "The scheme differs."),
        ("https://client.example.evil.example/cb", "The host differs."),
        ("https://www.client.example/cb", "The host differs."),
        ("https://client.example./cb", "The host differs."),
        ("https://client.example@evil.example/cb", "The user information differs."),
        ("https://user@client.example/cb", "The user information differs."),
        ("https://client.example:8443/cb", "The port differs."),
        ("https://client.example:443/cb", "The port differs."),
        ("https://client.example/CB", "The path differs."),
        ("https://client.example/cb/", "The path differs."),
        ("https://client.example/x/../cb", "The path differs."),
        ("https://client.example/%63b", "The path differs."),
        ("https://client.example/cb;x", "The path differs."),
        ("https://client.example/cb?x=1", "The query differs."),
        ("https://client.example/cb?", "The query differs."),
    ],
)
def test_any_other_difference_is_refused(uri: str, reason: str) -> None:
    """RFC 6749 section 3.1.2.3, RFC 9700 section 4.1.3: simple string comparison."""
    assert check_redirect_to_uri_allowed(uri, [REGISTERED]) == (False, [(REGISTERED, reason)])


@pytest.mark.parametrize(
    "uri",
    [
        "https://client.example\\@evil.example/cb",
        "https://client.example/cb\n",
        " https://client.example/cb",
        "https://client.exam\tple/cb",
        "https://client.example/cb\x00",
        "https://client.example/c b",
        "https://client.example:99999/cb",
        "https://client.example:x/cb",
        "https://[::1/cb",
    ],
)
def test_a_uri_that_browsers_read_differently_is_refused_for_itself(uri: str) -> None:
    assert check_redirect_to_uri_allowed(uri, [REGISTERED]) == (False, [(None, "The URI cannot be parsed.")])


@pytest.mark.parametrize("fragment", ["#", "#x"])
def test_a_fragment_is_refused_even_where_it_is_registered(fragment: str) -> None:
    """RFC 6749 section 3.1.2: MUST NOT include a fragment component."""
    uri = REGISTERED + fragment

    assert check_redirect_to_uri_allowed(uri, [uri]) == (
        False,
        [(None, "A redirect URI must not have a fragment (RFC 6749 section 3.1.2).")],
    )


@pytest.mark.parametrize(
    ("query", "is_allowed"),
    [("?x=1", True), ("?x=2", False), ("?x=1&y=2", False), ("?x=%31", False), ("", False)],
)
def test_the_query_is_compared_as_text(query: str, is_allowed: bool) -> None:
    assert redirect_to_uri_allowed(REGISTERED + query, [REGISTERED + "?x=1"]) is is_allowed


def test_every_registered_uri_is_held_against_and_none_that_cannot_be_parsed_matches() -> None:
    assert check_redirect_to_uri_allowed(REGISTERED, ["https://[::1/cb", "http://client.example/cb"]) == (
        False,
        [
            ("https://[::1/cb", "The registered URI cannot be parsed."),
            ("http://client.example/cb", "The scheme differs."),
        ],
    )
    assert check_redirect_to_uri_allowed(REGISTERED, []) == (False, [])


@pytest.mark.parametrize(
    ("uri", "registered", "is_allowed"),
    [
        ("http://127.0.0.1:50000/cb", "http://127.0.0.1/cb", True),
        ("http://127.0.0.1:50000/cb", "http://127.0.0.1:60000/cb", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:60000/cb", True),
        ("http://[::1]:50000/cb", "http://[::1]/cb", True),
        ("http://127.0.0.1:50000/other", "http://127.0.0.1/cb", False),
        ("http://127.0.0.1:50000/cb?x", "http://127.0.0.1/cb", False),
        ("http://127.0.0.2:50000/cb", "http://127.0.0.2/cb", False),
        ("http://[::1]:50000/cb", "http://127.0.0.1/cb", False),
        ("http://127.1:50000/cb", "http://127.0.0.1/cb", False),
        ("https://127.0.0.1:50000/cb", "https://127.0.0.1/cb", False),
        ("http://user@127.0.0.1:50000/cb", "http://127.0.0.1/cb", False),
        ("http://localhost:50000/cb", "http://localhost/cb", False),
    ],
)
def test_a_loopback_address_may_have_any_port(uri: str, registered: str, is_allowed: bool) -> None:
    """RFC 8252 section 7.3; section 8.3 advises against localhost."""
    assert redirect_to_uri_allowed(uri, [registered]) is is_allowed


def test_localhost_counts_as_loopback_only_where_the_site_says_so() -> None:
    with override_settings(OAUTH2_PROVIDER={"ALLOW_LOCALHOST_LOOPBACK": True}):
        assert redirect_to_uri_allowed("http://localhost:50000/cb", ["http://localhost/cb"])
        assert not redirect_to_uri_allowed("https://localhost:50000/cb", ["https://localhost/cb"])


@pytest.mark.parametrize(
    ("uri", "is_allowed"),
    [
        ("com.example.app:/cb", True),
        ("COM.EXAMPLE.APP:/cb", True),
        ("com.example.app:/CB", False),
        ("com.example.app://cb", False),
        ("com.example.app:/cb?x", False),
    ],
)
def test_a_private_use_scheme_is_matched_like_any_other(uri: str, is_allowed: bool) -> None:
    """RFC 8252 section 7.1."""
    assert redirect_to_uri_allowed(uri, ["com.example.app:/cb"]) is is_allowed


@pytest.mark.parametrize(
    ("host", "registered_host", "is_allowed"),
    [
        ("www.client.example", "*.client.example", True),
        ("a.b.client.example", "*.client.example", True),
        ("client.example", "*.client.example", False),
        (".client.example", "*.client.example", False),
        ("evilclient.example", "*.client.example", False),
        ("www.client.example.evil.example", "*.client.example", False),
        ("www.client.example:8443", "*.client.example", False),
        ("user@www.client.example", "*.client.example", False),
        ("pr-7-preview.client.example", "*-preview.client.example", True),
        ("-preview.client.example", "*-preview.client.example", False),
        ("preview.client.example", "*-preview.client.example", False),
    ],
)
@pytest.mark.parametrize("are_wildcards_on", [True, False])
def test_a_wildcard_stands_for_the_beginning_of_a_host_where_the_site_says_so(
    host: str, registered_host: str, is_allowed: bool, are_wildcards_on: bool
) -> None:
    uri, registered = f"https://{host}/cb", f"https://{registered_host}/cb"
    with override_settings(OAUTH2_PROVIDER={"ALLOW_URI_WILDCARDS": are_wildcards_on}):
        assert redirect_to_uri_allowed(uri, [registered]) is (is_allowed and are_wildcards_on)


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://client.example", True),
        ("https://CLIENT.example", True),
        ("https://client.example:443", False),
        ("https://client.example:", False),
        ("https://client.example:8443", False),
        ("http://client.example", False),
        ("https://www.client.example", False),
        ("https://client.example/", False),
        ("https://client.example?x", False),
        ("https://client.example#x", False),
        ("https://user@client.example", False),
        ("https://client.example\\.evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_an_origin_is_allowed_by_scheme_host_and_port_alone(origin: str, is_allowed: bool) -> None:
    """RFC 6454 sections 5 and 6.2."""
    assert is_origin_allowed(origin, ["https://client.example"]) is is_allowed


@pytest.mark.parametrize("is_allowed", [redirect_to_uri_allowed, is_origin_allowed])
def test_origins_of_other_schemes_and_wildcards_follow_the_settings(is_allowed: Callable[..., bool]) -> None:
    with override_settings(OAUTH2_PROVIDER={"ALLOWED_SCHEMES": ["http"], "ALLOW_URI_WILDCARDS": True}):
        assert is_allowed("http://www.client.example", ["http://*.client.example"])
        assert not is_allowed("http://www.other.example", ["http://*.client.example"])
