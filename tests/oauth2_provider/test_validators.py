"""What a client may register: redirect URIs and origins."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from oauth2_provider.models import Application
from oauth2_provider.validators import (
    AllowedURIValidator,
    URIValidator,
    allowed_origin_validator,
    is_host,
    redirect_uri_validator,
)

SCHEMES = ["https", "http", "com.example.app"]


def refusal(validator: URIValidator, uri: str) -> str | None:
    """Return why `validator` refuses `uri`, or None where it does not."""
    try:
        validator(uri)
    except ValidationError as exc:
        assert exc.params is not None
        return str(exc.params["cause"])
    return None


@pytest.mark.parametrize(
    "uri",
    [
        "https://client.example/cb",
        "https://client.example",
        "https://client.example:8443/cb?x=1&y=*",
        "http://localhost:3000/",
        "http://127.0.0.1/cb",
        "http://[::1]:80/cb",
        "http://my_container:8/cb",
        "https://münchen.example/cb",
        "https://client.example./",
        "com.example.app:/cb",
        "com.example.app://cb",
    ],
)
def test_a_redirect_uri_may_have_any_host_port_path_and_query(uri: str) -> None:
    assert refusal(AllowedURIValidator(SCHEMES, "redirect uri", True, True), uri) is None


@pytest.mark.parametrize(
    ("uri", "cause"),
    [
        ("ftp://client.example/", "this scheme is not allowed"),
        ("//client.example/", "this scheme is not allowed"),
        ("javascript:alert(1)", "this scheme is not allowed"),
        ("", "this scheme is not allowed"),
        ("https://client.example/cb#", "a fragment is not allowed"),
        ("https://client.example/cb#x", "a fragment is not allowed"),
        ("https://client.example\\@evil.example/", "it has a space, a control character or a backslash"),
        ("https://client.example/c b", "it has a space, a control character or a backslash"),
        ("https://client.exam\tple/cb", "it has a space, a control character or a backslash"),
        ("https://client.example/cb\n", "it has a space, a control character or a backslash"),
        ("https://client.example/\x00", "it has a space, a control character or a backslash"),
        ("https://client.example:99999/", "it cannot be parsed"),
        ("https://client.example:x/", "it cannot be parsed"),
        ("https://[::1/", "it cannot be parsed"),
        ("https://user@client.example/", "it has user information"),
        ("https://:@client.example/", "it has user information"),
        ("https://", "it has no valid host"),
        ("https:///cb", "it has no valid host"),
        ("https:cb", "it has no valid host"),
        ("https://client..example/", "it has no valid host"),
        ("https://-client.example/", "it has no valid host"),
        ("https://256.1.1.1/", "it has no valid host"),
        ("https://[::g]/", "it cannot be parsed"),
        ("com.example.app:cb", "it has neither a host nor a path that begins with a slash"),
        ("https://*.client.example/", "wildcards are not allowed"),
        ("https://client.*/", "wildcards are not allowed"),
        ("https://client.example/*", "wildcards are not allowed"),
    ],
)
def test_a_redirect_uri_that_could_mean_another_is_refused(uri: str, cause: str) -> None:
    """RFC 6749 section 3.1.2, RFC 9700 section 4.1."""
    assert refusal(AllowedURIValidator(SCHEMES, "redirect uri", True, True), uri) == cause


@pytest.mark.parametrize(
    ("uri", "is_allowed"),
    [
        ("https://*.client.example/cb", True),
        ("https://*-preview.client.example:8443/cb", True),
        ("https://*.example/", False),
        ("https://*.example./", False),
        ("https://*/", False),
        ("https://*client.example/", False),
        ("https://www.*.example/", False),
        ("https://*.*.client.example/", False),
        ("https://www.client.*/", False),
        ("https://u@*.client.example/", False),
        ("https://*.client.example:*/", False),
    ],
)
def test_a_wildcard_may_only_be_the_first_label_above_two_others(uri: str, is_allowed: bool) -> None:
    validator = AllowedURIValidator(SCHEMES, "redirect uri", True, True, allow_hostname_wildcard=True)

    assert (refusal(validator, uri) is None) is is_allowed


@pytest.mark.parametrize(
    ("origin", "cause"),
    [
        ("https://client.example", None),
        ("https://client.example:8443", None),
        ("https://client.example/", "a path is not allowed"),
        ("https://client.example?x=1", "a query is not allowed"),
        ("https://client.example#x", "a fragment is not allowed"),
        ("http://client.example", "this scheme is not allowed"),
    ],
)
def test_an_origin_is_a_scheme_a_host_and_a_port(origin: str, cause: str | None) -> None:
    """RFC 6454 section 6.2."""
    assert refusal(AllowedURIValidator(["https"], "allowed origin"), origin) == cause


def test_the_message_names_what_is_refused_and_why() -> None:
    with pytest.raises(ValidationError) as refused:
        AllowedURIValidator(["https"], "redirect uri")("ftp://client.example")

    assert refused.value.messages == [
        "ftp://client.example is not a valid redirect uri: this scheme is not allowed"
    ]
    assert refused.value.code == "invalid_scheme"


def test_the_plain_validator_wants_a_scheme_and_a_host() -> None:
    validator = URIValidator(schemes=["https"])

    assert refusal(validator, "https://container/path?x#y") is None
    assert refusal(validator, "http://container/") == "this scheme is not allowed"
    assert refusal(validator, "https:///path") == "it has no valid host"


def test_the_default_validators_follow_the_settings(settings) -> None:  # type: ignore[no-untyped-def]
    application = Application()
    assert refusal(redirect_uri_validator(application), "https://*.client.example/cb") is not None
    assert refusal(allowed_origin_validator(application), "http://client.example") is not None

    settings.OAUTH2_PROVIDER = {
        "ALLOW_URI_WILDCARDS": True,
        "ALLOWED_REDIRECT_URI_SCHEMES": ["app"],
        "ALLOWED_SCHEMES": ["http"],
    }
    assert refusal(redirect_uri_validator(application), "app://*.client.example/cb") is None
    assert refusal(redirect_uri_validator(application), "https://client.example/cb") is not None
    assert refusal(allowed_origin_validator(application), "http://*.client.example") is None


def test_a_host_name_is_bounded_by_its_labels() -> None:
    assert is_host("a" * 63 + ".example")
    assert not is_host("a" * 64 + ".example")
    assert not is_host("")
    assert not is_host("a..b")
