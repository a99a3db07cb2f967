"""Views behind a decorator, and views whose challenge says where the metadata is (RFC 6750, RFC 9728)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from oauth2_provider.decorators import protected_resource, rw_protected_resource
from oauth2_provider.models import AccessToken
from oauth2_provider.oauth2_validators import OAuth2Validator

pytestmark = pytest.mark.urls("tests.oauth2_provider.resource_site")
BEARER = {"authorization": "Bearer token"}
METADATA = 'resource_metadata="http://testserver/o/.well-known/oauth-protected-resource"'
Store = Callable[..., AccessToken]


@pytest.fixture(autouse=True)
def _scopes(settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {"SCOPES": {"read": "Read", "write": "Write", "music": "Music"}}


def test_a_good_token_lets_in_with_one_statement(
    client: Client, store_token: Store, django_assert_num_queries: Any
) -> None:
    store_token()
    with django_assert_num_queries(1):
        answer = client.get("/plain/", headers=BEARER)
    assert answer.json() == {"owner": "someone", "scope": "read"}


def test_a_request_without_a_token_is_challenged(client: Client, db: None) -> None:
    """RFC 6750 section 3: MUST include WWW-Authenticate; section 3.1: no error code."""
    answer = client.get("/plain/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')


def test_a_bad_token_is_an_invalid_token(client: Client, db: None) -> None:
    """RFC 6750 section 3.1."""
    answer = client.get("/plain/", headers=BEARER)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer["WWW-Authenticate"]


def test_scopes_are_needed_and_named(client: Client, store_token: Store) -> None:
    """RFC 6750 section 3.1: insufficient_scope, with the scope that is needed."""
    token = store_token()
    refused = client.get("/scoped/7/", headers=BEARER)
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused["WWW-Authenticate"]
    assert 'scope="write"' in refused["WWW-Authenticate"]
    token.scope = "read write"
    token.save()
    assert client.get("/scoped/7/", headers=BEARER).json() == {"owner": "someone", "pk": 7}


@pytest.mark.parametrize(
    ("scope", "get", "post"),
    [("read music", 200, 403), ("write music", 403, 200), ("read write", 403, 403)],
)
def test_reading_and_writing_need_their_scopes(
    client: Client, store_token: Store, scope: str, get: int, post: int
) -> None:
    store_token(scope=scope)
    assert client.get("/read-write/", headers=BEARER).status_code == get
    assert client.post("/read-write/", headers=BEARER).status_code == post


@pytest.mark.parametrize(
    ("path", "metadata"),
    [
        ("/described/", METADATA),
        ("/described-elsewhere/", 'resource_metadata="https://api.example/metadata"'),
        ("/class/described/", METADATA),
        ("/class/described-scoped/", METADATA),
        ("/class/described-read-write/", METADATA),
        ("/class/described-client/", 'resource_metadata="https://api.example/metadata"'),
    ],
)
def test_the_challenge_says_where_the_metadata_is(client: Client, db: None, path: str, metadata: str) -> None:
    """RFC 9728 section 5.1."""
    answer = client.get(path)
    assert answer.status_code == 401
    assert metadata in answer["WWW-Authenticate"]


def test_a_described_resource_lets_in_as_well(client: Client, store_token: Store) -> None:
    store_token(scope="write")
    assert client.get("/described/", headers=BEARER).json() == {"owner": "someone"}
    assert client.get("/class/described/", headers=BEARER).json() == {"owner": "someone"}


class NobodysValidator(OAuth2Validator):
    def validate_bearer_token(self, token: str, scopes: list[str], request: Any) -> bool:
        return False


def test_a_view_may_have_a_validator_of_its_own(store_token: Store, rf: RequestFactory) -> None:
    store_token()

    @protected_resource(validator_cls=NobodysValidator)
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert view(rf.get("/", headers=BEARER)).status_code == 401


def test_a_view_keeps_its_name_and_is_exempt_from_the_login_middleware() -> None:
    @protected_resource()
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert view.__name__ == "view"
    assert view.login_required is False


def test_a_decorator_that_was_not_called_says_so() -> None:
    with pytest.raises(TypeError, match=r"@protected_resource\(\)"):
        protected_resource(lambda request: HttpResponse())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"write \['read'\]"):
        protected_resource("read")


def test_reading_and_writing_need_scopes_of_the_site(settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {"SCOPES": {"read": "Read"}}
    with pytest.raises(ImproperlyConfigured, match="'write'"):
        rw_protected_resource()


def test_a_view_that_does_not_say_its_scopes_is_told(client: Client, db: None) -> None:
    with pytest.raises(ImproperlyConfigured, match="Scoped needs required_scopes"):
        client.get("/class/unfinished/")


def test_an_upload_is_the_views_to_read(client: Client, store_token: Store) -> None:
    """RFC 6750 section 2.2: only a single-part body may carry a token, so no other is parsed by the guard."""
    store_token()
    answer = client.post("/class/upload/", {"access_token": "token", "file": "x" * 100}, headers=BEARER)
    assert answer.status_code == 200
    assert answer.json()["length"] > 100
    assert client.post("/class/upload/", {"access_token": "token"}).status_code == 401
