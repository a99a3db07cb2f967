"""Response types of several words, in whatever order they come (RFC 6749 section 3.1.1)."""

from __future__ import annotations

from itertools import permutations
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from oauth2_provider.models import AccessToken, Application, Grant

from .conftest import RegisteredClient
from .test_authorization_endpoint import Register, query_for

SEVERAL = ["code token", "code id_token", "id_token token", "code id_token token"]
ORDERS = [(known, " ".join(words)) for known in SEVERAL for words in permutations(known.split())]
GIVEN = {"code": "code", "token": "access_token", "id_token": "id_token"}


@pytest.fixture
def several(oidc: Any, register: Register, client: Client, user: Any) -> RegisteredClient:
    client.force_login(user)
    kinds = f"{Application.GRANT_OPENID_HYBRID} {Application.GRANT_IMPLICIT}"
    return register(
        algorithm="RS256",
        skip_authorization=True,
        authorization_grant_type=Application.GRANT_OPENID_HYBRID,
        registered_grant_types=kinds,
    )


def fragment_of(client: Client, registered: RegisteredClient, **changes: Any) -> dict[str, str]:
    answer = client.get("/o/authorize/", query_for(registered, scope="openid read", **changes))
    location = urlsplit(answer["Location"])
    assert location.query == ""
    return {name: values[0] for name, values in parse_qs(location.fragment).items()}


@pytest.mark.parametrize(("known", "asked"), ORDERS, ids=str)
def test_the_order_of_the_words_does_not_matter(
    client: Client, several: RegisteredClient, known: str, asked: str
) -> None:
    """RFC 6749 section 3.1.1: a space-delimited list of values, where the order of values does not matter."""
    told = fragment_of(client, several, response_type=asked, nonce="n")
    assert GIVEN.keys() & set(known.split()) == {word for word, name in GIVEN.items() if name in told}


@pytest.mark.parametrize("asked", ["code id_token", "id_token code", "token id_token code"])
def test_no_order_goes_without_a_nonce(client: Client, several: RegisteredClient, asked: str) -> None:
    """OpenID Connect Core 1.0 section 3.3.2.11: use of the nonce is REQUIRED for these response types."""
    told = fragment_of(client, several, response_type=asked)
    assert (told["error"], told["state"]) == ("invalid_request", "a state")
    assert not Grant.objects.exists()


@pytest.mark.parametrize("asked", ["code code", "code none", "token token", "code token code", "code x"])
def test_words_that_make_no_response_type_are_refused(
    client: Client, several: RegisteredClient, asked: str
) -> None:
    """RFC 6749 section 3.1.1: MUST return an error response if response_type is not understood."""
    answer = client.get("/o/authorize/", query_for(several, response_type=asked, nonce="n"))
    location = urlsplit(answer["Location"])
    told = parse_qs(location.query or location.fragment)
    assert told["error"][0] in ("unsupported_response_type", "unauthorized_client")
    assert told["state"] == ["a state"]
    assert not Grant.objects.exists()
    assert not AccessToken.objects.exists()
