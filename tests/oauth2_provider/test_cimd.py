"""Clients that are known by the URL of their metadata (draft-ietf-oauth-client-id-metadata-document-01)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from io import StringIO
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone
from jwcrypto.jwk import JWK, JWKSet

from oauth2_provider import cimd
from oauth2_provider.models import AccessToken, Application, DeviceGrant, RefreshToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine

from .conftest import CHALLENGE, REDIRECT_URI, VERIFIER
from .credentials import make_client, make_user
from .outside import OutsideMetadataFetcher, OutsideServer, outside_server

SITE = {
    "CIMD_ENABLED": True,
    "CIMD_METADATA_FETCHER": "tests.oauth2_provider.outside.OutsideMetadataFetcher",
}


@pytest.fixture(scope="module")
def server() -> Iterator[OutsideServer]:
    with outside_server() as outside:
        yield outside


@pytest.fixture
def outside(server: OutsideServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutsideServer]:
    """The server of the clients, to a site that takes them in; nothing is known of it yet."""
    cache.clear()
    server.answers.clear()
    server.asked.clear()
    monkeypatch.setattr(OutsideMetadataFetcher, "outside", server, raising=False)
    with override_settings(OAUTH2_PROVIDER=SITE):
        yield server


def publish(outside: OutsideServer, path: str = "/client.json", **members: Any) -> str:
    """Publish a good document, changed by `members`; returns the client_id."""
    headers = {"Cache_Control": members.pop("cache_control", "")} if "cache_control" in members else {}
    client_id = outside.url(path)
    document = {
        "client_id": client_id,
        "client_name": "From outside",
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        **members,
    }
    present = {name: value for name, value in document.items() if value is not ...}
    outside.serve(path, present, **headers)
    return client_id


def make_stale(client_id: str) -> None:
    Application.objects.filter(client_id=client_id).update(
        cimd_expires_at=timezone.now() - timedelta(seconds=1)
    )


def authorization(client: Client, client_id: str) -> Any:
    return client.get(
        "/o/authorize/",
        {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": REDIRECT_URI,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "state": "s",
        },
    )


@pytest.mark.parametrize(
    "client_id",
    [
        "https://a.example/x",
        "https://a.example:8443/x/y.json",
        "https://a.example/x?y=z",
        "https://a.example/",
    ],
)
def test_a_url_with_a_path_is_a_client_id(client_id: str) -> None:
    """Section 3."""
    assert cimd.is_cimd_client_id(client_id)


@pytest.mark.parametrize(
    "client_id",
    [
        "http://a.example/x", "https://a.example", "https:///x", "https://a.example/../x", "https://a.example/./x",
        "https://a.example/%2e%2e/x", "https://a.example/x/..", "https://a.example/x#", "https://a.example/x#y",
        "https://user@a.example/x", "https://user:pw@a.example/x", "https://a.example:x/", "https://[::1/x",
        "https://a.example/ x", "https://a.example/\x00", "https://ä.example/x", "https://a.example/" + "x" * 255,
        "x", "", "HTTPS://a.example/x",
    ],
)  # fmt: skip
def test_another_url_is_no_client_id(client_id: str) -> None:
    """Section 3: MUST be https with a path; MUST NOT have dot segments, a fragment, a username or password."""
    assert not cimd.is_cimd_client_id(client_id)


@pytest.mark.django_db
def test_a_client_is_known_by_its_document(outside: OutsideServer) -> None:
    client_id = publish(outside, client_uri="https://client.example/", scope="read unknown")
    application = cimd.resolve_cimd_application(client_id)
    application.refresh_from_db()
    assert application.client_id == client_id
    assert application.registration_source == Application.RegistrationSource.CIMD
    assert (application.name, application.client_type) == ("From outside", "public")
    assert (application.redirect_uris, application.registered_scope) == (REDIRECT_URI, "read")
    assert (application.client_secret, application.user) == ("", None)
    assert application.client_metadata == {
        "client_uri": "https://client.example/",
        "response_types": ["code"],
    }


@pytest.mark.parametrize(
    "members",
    [
        {"client_id": ...},
        {"client_id": "https://localhost/other"},
        {"client_secret": "x"},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "client_secret_jwt"},
        {"redirect_uris": ...},
        {"redirect_uris": ["http://evil.example/"]},
        {"redirect_uris": "x"},
        {"grant_types": ["client_credentials"]},
        {"grant_types": ["password"]},
        {"client_name": "a\x00"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}},
    ],
)
@pytest.mark.django_db
def test_a_document_that_makes_no_client_is_not_kept(outside: OutsideServer, members: dict[str, Any]) -> None:
    """Section 4.1: client_id MUST match the URL; no secrets, no method that shares one. 4.4: MUST NOT cache invalid."""
    methods = ["client_secret_basic", "private_key_jwt"]
    with override_settings(OAUTH2_PROVIDER={**SITE, "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": methods}):
        assert cimd.resolve_cimd_application(publish(outside, **members)) is None
    assert not Application.objects.exists()


@pytest.mark.parametrize("content", [[], "x", None, 5])
@pytest.mark.django_db
def test_a_document_that_is_no_object_is_not_kept(outside: OutsideServer, content: Any) -> None:
    assert cimd.resolve_cimd_application(outside.serve("/client.json", content)) is None


@pytest.mark.django_db
def test_a_page_is_no_document(outside: OutsideServer) -> None:
    """Section 4.1: application/json, or application/<...>+json."""
    client_id = publish(outside)
    document = {"client_id": client_id, "redirect_uris": [REDIRECT_URI]}
    outside.serve("/client.json", document, Content_Type="text/html")
    assert cimd.resolve_cimd_application(client_id) is None
    cache.clear()
    outside.serve("/client.json", document, Content_Type="application/oauth-client+json; charset=utf-8")
    assert cimd.resolve_cimd_application(client_id) is not None


@pytest.mark.django_db
def test_a_client_may_authenticate_by_its_keys(outside: OutsideServer) -> None:
    """Section 6.2: private_key_jwt makes it a confidential client."""
    keys = JWKSet()
    keys.add(JWK.generate(kty="EC", crv="P-256"))
    members = {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": keys.export(private_keys=False, as_dict=True),
    }
    methods = ["client_secret_basic", "private_key_jwt"]
    with override_settings(OAUTH2_PROVIDER={**SITE, "OAUTH2_TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED": methods}):
        application = cimd.resolve_cimd_application(publish(outside, **members))
    assert (application.client_type, application.token_endpoint_auth_method) == (
        "confidential",
        "private_key_jwt",
    )
    assert len(list(application.get_client_signing_jwks())) == 1


@pytest.mark.django_db
def test_a_loopback_address_is_not_asked_by_the_default_fetcher(outside: OutsideServer) -> None:
    """Section 6.5: MUST validate that the URL does not resolve to special-use IP addresses."""
    with override_settings(OAUTH2_PROVIDER={"CIMD_ENABLED": True}):
        assert cimd.resolve_cimd_application(publish(outside)) is None
    assert outside.asked == []


@pytest.mark.django_db
def test_it_is_off_unless_the_site_turns_it_on(outside: OutsideServer) -> None:
    with override_settings(OAUTH2_PROVIDER={**SITE, "CIMD_ENABLED": False}):
        assert cimd.resolve_cimd_application(publish(outside)) is None
    assert outside.asked == []


@pytest.mark.parametrize(
    ("hosts", "is_in"),
    [([], False), (["localhost"], True), (["LOCALHOST"], True), ([".localhost"], False), (["host"], False)],
)
@pytest.mark.django_db
def test_a_site_names_the_hosts_it_trusts(outside: OutsideServer, hosts: list[str], is_in: bool) -> None:
    """Section 6.8."""
    site = {
        **SITE,
        "CIMD_REGISTRATION_PERMISSION_CLASSES": ["oauth2_provider.cimd.HostAllowlistCIMDPermission"],
        "CIMD_ALLOWED_HOSTS": hosts,
    }
    with override_settings(OAUTH2_PROVIDER=site):
        assert (cimd.resolve_cimd_application(publish(outside)) is not None) == is_in
    assert bool(outside.asked) == is_in


def test_a_dot_before_a_host_means_all_below_it() -> None:
    with override_settings(OAUTH2_PROVIDER={"CIMD_ALLOWED_HOSTS": [".example.com"]}):
        permission = cimd.HostAllowlistCIMDPermission()
        assert permission.has_permission(None, "https://a.example.com/x")
        assert not permission.has_permission(None, "https://example.com/x")
        assert not permission.has_permission(None, "https://evilexample.com/x")


@pytest.mark.django_db
def test_without_permission_classes_nobody_is_let_in(outside: OutsideServer) -> None:
    with override_settings(OAUTH2_PROVIDER={**SITE, "CIMD_REGISTRATION_PERMISSION_CLASSES": []}):
        assert cimd.resolve_cimd_application(publish(outside)) is None


@pytest.mark.parametrize("size", [16384, 20])
@pytest.mark.django_db
def test_a_long_document_is_not_read(outside: OutsideServer, size: int) -> None:
    """Section 6.6."""
    with override_settings(OAUTH2_PROVIDER={**SITE, "CIMD_MAX_DOCUMENT_SIZE": size}):
        assert (cimd.resolve_cimd_application(publish(outside)) is not None) == (size > 1000)


@pytest.mark.django_db
def test_a_slow_server_is_not_waited_for(outside: OutsideServer) -> None:
    released = threading.Event()

    def wait(handler: BaseHTTPRequestHandler) -> None:
        released.wait(30)

    outside.answers["/slow.json"] = wait
    with override_settings(OAUTH2_PROVIDER={**SITE, "CIMD_FETCH_TIMEOUT_SECONDS": 0.3}):
        assert cimd.resolve_cimd_application(outside.url("/slow.json")) is None
    released.set()


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("", 86400), ("max-age=1000", 1000), ("public, Max-Age=1000", 1000), ("max-age=5", 300), ("no-store", 300),
        ("no-cache, max-age=5000", 300), ("max-age=999999999", 86400), ("s-max-age=5", 86400), ("max-age=x", 86400),
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_a_document_is_kept_for_as_long_as_its_server_says_within_bounds(
    outside: OutsideServer, cache_control: str, seconds: int
) -> None:
    """Section 4.4: SHOULD respect HTTP cache headers, with bounds of the server's own."""
    application = cimd.resolve_cimd_application(publish(outside, cache_control=cache_control))
    assert abs((application.cimd_expires_at - timezone.now()).total_seconds() - seconds) < 30


@pytest.mark.django_db
def test_the_bounds_are_the_sites(outside: OutsideServer) -> None:
    site = {**SITE, "CIMD_METADATA_MIN_AGE_SECONDS": 5, "CIMD_METADATA_MAX_AGE_SECONDS": 50}
    with override_settings(OAUTH2_PROVIDER=site):
        short = cimd.resolve_cimd_application(publish(outside, "/short.json", cache_control="max-age=1"))
        long = cimd.resolve_cimd_application(publish(outside, "/long.json", cache_control="max-age=500"))
    left = [(one.cimd_expires_at - timezone.now()).total_seconds() for one in (short, long)]
    assert left[0] <= 5 < left[1] <= 50


@pytest.mark.django_db
def test_a_stale_document_is_fetched_again_and_what_others_wrote_stays(outside: OutsideServer) -> None:
    client_id = publish(outside)
    application = cimd.resolve_cimd_application(client_id)
    assert cimd.refresh_if_stale(application)
    assert len(outside.asked) == 1

    make_stale(client_id)
    application.refresh_from_db()
    used = timezone.now()
    Application.objects.update(skip_authorization=True)
    publish(outside, client_name="Renamed", redirect_uris=["https://client.example/new"])
    Application.objects.update(last_used=used)
    assert cimd.refresh_if_stale(application)
    stored = Application.objects.get()
    assert (application.name, stored.redirect_uris) == ("Renamed", "https://client.example/new")
    assert (stored.last_used, stored.skip_authorization) == (used, True)
    assert stored.cimd_expires_at > timezone.now()


@pytest.mark.parametrize("members", [{"client_id": "x"}, {"client_secret": "x"}])
@pytest.mark.django_db
def test_a_document_that_went_bad_does_not_replace_the_good_one(
    outside: OutsideServer, members: dict[str, Any]
) -> None:
    client_id = publish(outside)
    application = cimd.resolve_cimd_application(client_id)
    make_stale(client_id)
    application.refresh_from_db()
    publish(outside, client_name="Bad", **members)
    assert not cimd.refresh_if_stale(application)
    assert Application.objects.get().name == "From outside"


@pytest.mark.django_db
def test_a_registered_application_is_never_fetched(outside: OutsideServer) -> None:
    """Section 6.10: the URL of a document may be registered beforehand."""
    application = make_client(publish(outside))
    assert cimd.refresh_if_stale(application)
    assert outside.asked == []


@pytest.mark.django_db
def test_a_failure_is_not_tried_again_at_once(
    outside: OutsideServer, caplog: pytest.LogCaptureFixture
) -> None:
    client_id = outside.url("/missing.json")
    with caplog.at_level(logging.INFO, "oauth2_provider"):
        assert cimd.resolve_cimd_application(client_id) is None
    assert [record.action for record in caplog.records] == ["cimd_refused"]  # type: ignore[attr-defined]
    publish(outside, "/missing.json")
    assert cimd.resolve_cimd_application(client_id) is None
    assert len(outside.asked) == 1
    cache.clear()  # as time does
    assert cimd.resolve_cimd_application(client_id) is not None


@pytest.mark.django_db
def test_the_pause_after_a_failure_is_the_sites(outside: OutsideServer) -> None:
    with override_settings(OAUTH2_PROVIDER={**SITE, "CIMD_FAILURE_BACKOFF_SECONDS": 0}):
        for _ in range(2):
            assert cimd.resolve_cimd_application(outside.url("/missing.json")) is None
    assert len(outside.asked) == 2


@pytest.mark.django_db
def test_only_so_many_fetches_run_at_a_time(outside: OutsideServer) -> None:
    """While one fetch holds the only place, another client is refused, and not held to have failed."""
    seen: list[Any] = []
    second = publish(outside, "/second.json")
    first = publish(outside, "/first.json")
    answer = outside.answers["/first.json"]
    meanwhile = threading.Event()

    class Reentrant(OutsideMetadataFetcher):
        def fetch(self, client_id: str) -> cimd.MetadataDocument:
            if client_id == first and not meanwhile.is_set():
                meanwhile.set()
                seen.append(cimd.resolve_cimd_application(second))
            return super().fetch(client_id)

    site = {**SITE, "CIMD_MAX_CONCURRENT_FETCHES": 1, "CIMD_METADATA_FETCHER": Reentrant}
    with override_settings(OAUTH2_PROVIDER=site):
        assert cimd.resolve_cimd_application(first) is not None
        assert seen == [None]
        assert cimd.resolve_cimd_application(second) is not None
    assert answer is outside.answers["/first.json"]


@pytest.mark.django_db
def test_one_address_cannot_make_the_site_fetch_at_will(outside: OutsideServer, rf: RequestFactory) -> None:
    request = rf.get("/")
    with override_settings(OAUTH2_PROVIDER={**SITE, "THROTTLE_RATES": {"cimd": "1/hour"}}):
        assert cimd.resolve_cimd_application(publish(outside, "/one.json"), request) is not None
        assert cimd.resolve_cimd_application(publish(outside, "/two.json"), request) is None


@on_every_engine
def test_two_requests_at_once_make_one_client(engine: EngineDatabase, outside: OutsideServer) -> None:
    """The row of the faster one is there when the slower one stores its own."""
    client_id = publish(outside)

    class Overtaken(OutsideMetadataFetcher):
        def fetch(self, client_id: str) -> cimd.MetadataDocument:
            document = super().fetch(client_id)
            make_client(client_id, registration_source="cimd")
            return document

    with override_settings(OAUTH2_PROVIDER={**SITE, "CIMD_METADATA_FETCHER": Overtaken}):
        application = cimd.resolve_cimd_application(client_id)
    assert application == Application.objects.get()


def test_a_user_lets_a_client_in_that_was_never_registered(
    outside: OutsideServer, client: Client, user: Any
) -> None:
    """The whole way: consent that shows whose it is (section 6.4), code, tokens, refresh."""
    client_id = publish(outside)
    client.force_login(user)
    page = authorization(client, client_id)
    assert page.status_code == 200
    assert client_id in page.content.decode()
    initial = {key: value for key, value in page.context["form"].initial.items() if value is not None}
    answer = client.post("/o/authorize/", {**initial, "allow": "1"})
    code = answer["Location"].partition("code=")[2].partition("&")[0]
    tokens = client.post(
        "/o/token/",
        {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": client_id,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
        },
    )
    assert tokens.status_code == 200, tokens.content
    refreshed = client.post(
        "/o/token/",
        {
            "grant_type": "refresh_token",
            "refresh_token": tokens.json()["refresh_token"],
            "client_id": client_id,
        },
    )
    assert refreshed.status_code == 200
    assert outside.asked == ["/client.json"]


def test_a_document_that_cannot_be_had_ends_the_request(
    outside: OutsideServer, client: Client, user: Any
) -> None:
    """Section 4.3: SHOULD abort the authorization request; to the user, never to an unproved redirect URI."""
    client.force_login(user)
    answer = authorization(client, outside.url("/missing.json"))
    assert answer.status_code == 400
    assert "Location" not in answer


def test_a_withdrawn_document_ends_consent_but_not_what_was_granted(
    outside: OutsideServer, client: Client, user: Any
) -> None:
    client_id = publish(outside)
    application = cimd.resolve_cimd_application(client_id)
    token = AccessToken.objects.create(
        user=user, application=application, token="a", scope="read", expires=timezone.now()
    )
    RefreshToken.objects.create(user=user, application=application, token="r", access_token=token)
    make_stale(client_id)
    del outside.answers["/client.json"]
    client.force_login(user)
    assert authorization(client, client_id).status_code == 400
    refreshed = client.post(
        "/o/token/", {"grant_type": "refresh_token", "refresh_token": "r", "client_id": client_id}
    )
    assert refreshed.status_code == 200


@on_every_engine
def test_what_nobody_needs_any_more_is_cleared(engine: EngineDatabase, user: Any) -> None:
    past, later = timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=1)
    stale = {"registration_source": "cimd", "cimd_expires_at": past}
    for name in ("one", "two", "three"):
        make_client(f"gone {name}", **stale)
    make_client("fresh", registration_source="cimd", cimd_expires_at=later)
    make_client("registered beforehand", registration_source="cimd")
    make_client("manual", cimd_expires_at=past)
    held = make_client("held", **stale)
    AccessToken.objects.create(application=held, token="a", expires=later)
    waited_for = make_client("waited for", **stale)
    DeviceGrant.objects.create(
        device_code="d", user_code="u", client_id=waited_for.client_id, expires=later, user=make_user("x")
    )
    out = StringIO()
    call_command("clearcimdapplications", batch_size=2, stdout=out)
    assert "3 applications deleted" in out.getvalue()
    kept = {"fresh", "registered beforehand", "manual", "held", "waited for"}
    assert set(Application.objects.values_list("client_id", flat=True)) == kept


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(CommandError, match="1 or more"):
        call_command("clearcimdapplications", batch_size=0)
