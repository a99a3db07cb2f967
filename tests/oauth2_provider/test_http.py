"""The redirect to a client."""

from __future__ import annotations

import pytest
from django.core.exceptions import DisallowedRedirect

from oauth2_provider.http import OAuth2ResponseRedirect


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("https://client.example/cb?code=1", "https://client.example/cb?code=1"),
        ("com.example.app:/cb?code=1", "com.example.app:/cb?code=1"),
        ("https://client.example/ü", "https://client.example/%C3%BC"),
    ],
)
def test_a_redirect_to_an_allowed_scheme_is_a_302(uri: str, location: str) -> None:
    """RFC 8252 section 7.1: private-use schemes too."""
    response = OAuth2ResponseRedirect(uri, ["https", "com.example.app"])

    assert (response.status_code, response["Location"], response.url) == (302, location, location)


@pytest.mark.parametrize("uri", ["javascript:alert(1)", "http://client.example/", "//client.example/", "/cb"])
def test_a_redirect_to_any_other_scheme_is_refused(uri: str) -> None:
    with pytest.raises(DisallowedRedirect):
        OAuth2ResponseRedirect(uri, ["https"])
