"""Clients that authenticate by a signed JWT (RFC 7521 section 4.2, RFC 7523, OpenID Connect Core 1.0 section 9)."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from django.core.cache import cache
from django.db import connection
from django.test import Client
from jwcrypto import jwk, jws
from pytest_django.live_server_helper import LiveServer

from oauth2_provider.client import CLIENT_ASSERTION_TYPE, make_client_assertion
from oauth2_provider.models import AccessToken, Application

from .conftest import RegisteredClient
from .outside import OutsideFetcher, OutsideServer, outside_server
from .test_pushed_requests import REQUEST

SERVER = "http://testserver/o"
TOKEN = f"{SERVER}/token/"


@pytest.fixture(autouse=True)
def _nothing_used() -> None:
    cache.clear()


@pytest.fixture(scope="module")
def rsa() -> jwk.JWK:
    return jwk.JWK.generate(kty="RSA", size=2048, kid="rsa")


@pytest.fixture(scope="module")
def other_rsa() -> jwk.JWK:
    return jwk.JWK.generate(kty="RSA", size=2048, kid="other")


@pytest.fixture(scope="module")
def ec() -> jwk.JWK:
    return jwk.JWK.generate(kty="EC", crv="P-256", kid="ec")


def key_set(*keys: jwk.JWK) -> str:
    return json.dumps({"keys": [key.export_public(as_dict=True) for key in keys]})


@pytest.fixture
def machine(register: Callable[..., RegisteredClient], rsa: jwk.JWK, ec: jwk.JWK) -> Application:
    """A client that authenticates by private_key_jwt and by nothing else."""
    return register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        token_endpoint_auth_method="private_key_jwt",
        client_jwks=key_set(rsa, ec),
    ).application


@pytest.fixture
def secretive(register: Callable[..., RegisteredClient]) -> RegisteredClient:
    """A client that authenticates by client_secret_jwt and by nothing else."""
    return register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        token_endpoint_auth_method="client_secret_jwt",
        hash_client_secret=False,
    )


def ask(assertion: str, **parameters: Any) -> Any:
    body = {
        "grant_type": "client_credentials",
        "client_assertion_type": CLIENT_ASSERTION_TYPE,
        "client_assertion": assertion,
        **parameters,
    }
    return Client().post("/o/token/", {name: value for name, value in body.items() if value is not None})


def assertion_of(application: Application, key: Any, alg: str = "RS256", **claims: Any) -> str:
    additional = {name: value for name, value in claims.items() if value is not ...}
    return make_client_assertion(application.client_id, TOKEN, key, alg, additional_claims=additional)


REFUSED = (401, {"error": "invalid_client"})


def outcome(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.json()


# -- who is let in


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "ES256"])
def test_a_client_authenticates_by_its_private_key(
    machine: Application, rsa: jwk.JWK, ec: jwk.JWK, algorithm: str
) -> None:
    """RFC 7523 section 2.2."""
    key = ec if algorithm.startswith("ES") else rsa
    answer = ask(assertion_of(machine, key, algorithm))
    assert answer.status_code == 200, answer.content
    assert AccessToken.objects.get(token=answer.json()["access_token"]).application == machine


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_client_authenticates_by_its_secret_as_a_key(secretive: RegisteredClient, algorithm: str) -> None:
    answer = ask(assertion_of(secretive.application, secretive.secret, algorithm))
    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize("audience", ["http://testserver/o", f"{SERVER}/token/", f"{SERVER}/par/"])
def test_the_names_of_the_server_are_audiences(machine: Application, rsa: jwk.JWK, audience: str) -> None:
    """RFC 9126 section 2: issuer, token endpoint and PAR endpoint MUST be accepted."""
    assert ask(assertion_of(machine, rsa, aud=audience)).status_code == 200
    assert ask(assertion_of(machine, rsa, aud=["https://other.example/", audience])).status_code == 200


def test_the_site_says_which_audiences_it_takes(machine: Application, rsa: jwk.JWK, settings: Any) -> None:
    settings.OAUTH2_PROVIDER = {"CLIENT_ASSERTION_ACCEPTED_AUDIENCES": ["https://as.example"]}
    assert outcome(ask(assertion_of(machine, rsa))) == REFUSED
    assert ask(assertion_of(machine, rsa, aud="https://as.example")).status_code == 200


def test_the_helper_takes_keys_in_every_form(machine: Application, rsa: jwk.JWK) -> None:
    pem = rsa.export_to_pem(private_key=True, password=None)
    for key in (pem, pem.decode(), rsa.export(), rsa.export(as_dict=True)):
        assert ask(assertion_of(machine, key)).status_code == 200
    with pytest.raises(ValueError):
        make_client_assertion("a client", TOKEN, "no key")


def test_authlib_authenticates_by_private_key_and_by_secret(
    live_server: LiveServer, machine: Application, secretive: RegisteredClient, rsa: jwk.JWK, monkeypatch: Any
) -> None:
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    endpoint = f"{live_server}/o/token/"
    pem = rsa.export_to_pem(private_key=True, password=None)
    soon = {"exp": int(time.time()) + 60}
    method = PrivateKeyJWT(endpoint, claims=soon)
    session = OAuth2Session(machine.client_id, pem, token_endpoint_auth_method=method, scope="read")
    assert session.fetch_token(endpoint, grant_type="client_credentials")["scope"] == "read"
    session = OAuth2Session(
        secretive.application.client_id,
        secretive.secret,
        token_endpoint_auth_method=ClientSecretJWT(endpoint, claims=soon),
    )
    assert session.fetch_token(endpoint, grant_type="client_credentials")["access_token"]


def test_an_assertion_opens_every_endpoint_that_asks_for_the_client(
    register: Callable[..., RegisteredClient], rsa: jwk.JWK
) -> None:
    registered = register(
        token_endpoint_auth_method="private_key_jwt",
        client_jwks=key_set(rsa),
        registered_grant_types=(
            "authorization_code client_credentials urn:ietf:params:oauth:grant-type:device_code"
        ),
    ).application

    def body(**parameters: str) -> dict[str, str]:
        assertion = make_client_assertion(registered.client_id, SERVER, rsa)
        return {"client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": assertion, **parameters}

    token = Client().post("/o/token/", body(grant_type="client_credentials")).json()["access_token"]
    told = Client().post("/o/introspect/", body(token=token))
    assert (told.status_code, told.json()["active"]) == (200, True)
    assert Client().post("/o/par/", body(**REQUEST)).status_code == 201
    assert Client().post("/o/device-authorization/", body(scope="read")).status_code == 200
    assert Client().post("/o/revoke_token/", body(token=token)).status_code == 200
    assert not AccessToken.objects.exists()
    for path in ("introspect", "par", "device-authorization", "revoke_token"):
        spoiled = {**body(token=token, **REQUEST), "client_assertion": "a.b.c"}
        assert Client().post(f"/o/{path}/", spoiled).status_code == 401


# -- who is not


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "another"},
        {"sub": "another"},
        {"iss": None},
        {"aud": "https://other.example/"},
        {"aud": None},
        {"aud": []},
        {"aud": [5]},
        {"aud": {}},
        {"exp": None},
        {"exp": 0},
        {"exp": "soon"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**400},
        {"exp": time.time() + 100_000},
        {"nbf": time.time() + 3600},
        {"nbf": "now"},
        {"iat": time.time() + 3600},
        {"jti": None},
        {"jti": ""},
        {"jti": 5},
        {"jti": "x" * 256},
    ],
)
def test_claims_that_do_not_hold_are_refused(
    machine: Application, rsa: jwk.JWK, claims: dict[str, Any]
) -> None:
    """RFC 7523 section 3, items 1 to 7 and 10."""
    assert outcome(ask(assertion_of(machine, rsa, **claims))) == REFUSED


def test_clocks_may_differ_by_the_leeway(machine: Application, rsa: jwk.JWK, settings: Any) -> None:
    """RFC 7523 section 3 item 4."""
    late = {"exp": time.time() - 30, "nbf": time.time() + 30, "iat": time.time() + 30}
    assert ask(assertion_of(machine, rsa, **late)).status_code == 200
    settings.OAUTH2_PROVIDER = {"CLIENT_ASSERTION_LEEWAY": 0}
    for name, value in late.items():
        assert outcome(ask(assertion_of(machine, rsa, **{name: value}))) == REFUSED


def test_an_assertion_lives_no_longer_than_the_site_allows(
    machine: Application, rsa: jwk.JWK, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {"CLIENT_ASSERTION_MAX_LIFETIME": 1000, "CLIENT_ASSERTION_LEEWAY": 0}
    assert ask(assertion_of(machine, rsa, exp=time.time() + 900)).status_code == 200
    assert outcome(ask(assertion_of(machine, rsa, exp=time.time() + 1100))) == REFUSED


def test_an_assertion_is_used_once(machine: Application, rsa: jwk.JWK) -> None:
    """RFC 7523 section 3 item 7; OpenID Connect Core 1.0 section 9: a jti MUST only be used once."""
    assertion = assertion_of(machine, rsa)
    assert ask(assertion).status_code == 200
    assert outcome(ask(assertion)) == REFUSED
    cache.clear()
    assert ask(assertion).status_code == 200


def test_a_jti_is_its_clients_own(
    machine: Application, rsa: jwk.JWK, register: Callable[..., RegisteredClient]
) -> None:
    other = register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS, client_jwks=key_set(rsa)
    ).application
    assert ask(assertion_of(machine, rsa, jti="1")).status_code == 200
    assert ask(assertion_of(other, rsa, jti="1")).status_code == 200


def test_what_is_refused_uses_no_jti_up(machine: Application, rsa: jwk.JWK, other_rsa: jwk.JWK) -> None:
    assert outcome(ask(assertion_of(machine, other_rsa, jti="1"))) == REFUSED
    assert ask(assertion_of(machine, rsa, jti="1")).status_code == 200


def test_of_requests_that_race_with_one_assertion_one_wins(
    transactional_db: None, machine: Application, rsa: jwk.JWK
) -> None:
    from oauth2_provider.flows import client_assertions

    assertion = assertion_of(machine, rsa)
    barrier = threading.Barrier(8)

    def present() -> bool:
        try:
            barrier.wait(timeout=30)
            client_assertions.verify(assertion, machine, audiences={TOKEN})
        except client_assertions.AssertionRefused:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [future.result(timeout=60) for future in [pool.submit(present) for _ in range(8)]]
    assert won.count(True) == 1


def test_only_the_clients_keys_count(
    machine: Application, rsa: jwk.JWK, other_rsa: jwk.JWK, ec: jwk.JWK
) -> None:
    """RFC 7523 section 3 item 9: the server MUST reject JWTs with an invalid signature."""
    assert outcome(ask(assertion_of(machine, other_rsa))) == REFUSED
    wrong_kid = make_client_assertion(machine.client_id, TOKEN, rsa, kid="ec")
    assert outcome(ask(wrong_kid)) == REFUSED
    signed = assertion_of(machine, rsa)
    assert outcome(ask(signed[:-4] + "AAAA")) == REFUSED


def test_a_key_for_encryption_signs_nothing(register: Callable[..., RegisteredClient], rsa: jwk.JWK) -> None:
    public = {**rsa.export_public(as_dict=True), "use": "enc"}
    application = register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        client_jwks=json.dumps({"keys": [public]}),
    ).application
    assert outcome(ask(assertion_of(application, rsa))) == REFUSED


def test_a_public_key_is_no_secret(machine: Application, rsa: jwk.JWK) -> None:
    """RFC 8725 section 2.1: a public key must not pass for the secret of an HMAC."""
    for secret in (rsa.export_public(), rsa.export_to_pem().decode(), key_set(rsa)):
        assert outcome(ask(assertion_of(machine, secret, "HS256"))) == REFUSED


def test_an_unsigned_assertion_is_refused(machine: Application, rsa: jwk.JWK) -> None:
    """RFC 7523 section 3 item 9: MUST be digitally signed or have a MAC."""
    payload = assertion_of(machine, rsa).split(".")[1]
    assert outcome(ask(f"eyJhbGciOiJub25lIn0.{payload}.")) == REFUSED
    assert outcome(ask(f"eyJhbGciOiJub25lIn0.{payload}.AA")) == REFUSED


@pytest.mark.parametrize(
    "assertion", ["x", "a.b.c", "e30.e30.e30", "....", "{}", "é.é.é", "W10.W10.W10", "x" * 20000]
)
def test_what_is_no_jwt_is_refused(machine: Application, assertion: str) -> None:
    assert outcome(ask(assertion)) == REFUSED
    assert outcome(ask(assertion, client_id=machine.client_id)) == REFUSED


def test_a_jwt_in_json_form_is_refused(machine: Application, rsa: jwk.JWK) -> None:
    """RFC 7519 section 1: JWTs are always in compact form."""
    claims = {"iss": machine.client_id, "sub": machine.client_id, "aud": TOKEN, "exp": time.time() + 60}
    signature = jws.JWS(json.dumps({**claims, "jti": "1"}))
    signature.add_signature(rsa, alg="RS256", protected='{"alg": "RS256"}')
    assert outcome(ask(signature.serialize())) == REFUSED


def test_the_type_must_be_that_of_jwts(machine: Application, rsa: jwk.JWK) -> None:
    """RFC 7523 section 2.2."""
    assert outcome(ask(assertion_of(machine, rsa), client_assertion_type="urn:x")) == REFUSED
    assert outcome(ask(assertion_of(machine, rsa), client_assertion_type=None)) == REFUSED
    assert outcome(ask("", client_id=machine.client_id)) == REFUSED


def test_client_id_must_be_the_assertions(machine: Application, rsa: jwk.JWK) -> None:
    """RFC 7521 section 4.2: client_id MUST identify the same client as the assertion."""
    assert ask(assertion_of(machine, rsa), client_id=machine.client_id).status_code == 200
    assert outcome(ask(assertion_of(machine, rsa), client_id="another")) == REFUSED


def test_there_is_one_method_in_a_request(machine: Application, rsa: jwk.JWK) -> None:
    """RFC 6749 section 2.3: the client MUST NOT use more than one authentication method in each request."""
    Application.objects.update(token_endpoint_auth_method="")
    assert outcome(ask(assertion_of(machine, rsa), client_secret="x")) == REFUSED
    body = {
        "grant_type": "client_credentials",
        "client_assertion_type": CLIENT_ASSERTION_TYPE,
        "client_assertion": assertion_of(machine, rsa),
    }
    both = Client().post("/o/token/", body, headers={"authorization": "Basic eDp5"})
    assert outcome(both) == REFUSED


def test_an_assertion_in_the_uri_is_none(machine: Application, rsa: jwk.JWK) -> None:
    """RFC 6749 section 2.3.1, RFC 7523 section 2.2: in the request body."""
    query = f"client_assertion_type={CLIENT_ASSERTION_TYPE}&client_assertion={assertion_of(machine, rsa)}"
    answer = Client().post(f"/o/introspect/?{query}", {"token": "x"})
    assert answer.status_code == 401


def test_who_registered_a_key_cannot_fall_back_to_a_secret(
    register: Callable[..., RegisteredClient], rsa: jwk.JWK
) -> None:
    """RFC 7591 section 2, token_endpoint_auth_method."""
    registered = register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        token_endpoint_auth_method="private_key_jwt",
        client_jwks=key_set(rsa),
        hash_client_secret=False,
    )
    headers = {"authorization": registered.basic}
    body = {"grant_type": "client_credentials"}
    assert outcome(Client().post("/o/token/", body, headers=headers)) == REFUSED
    credentials = {"client_id": registered.application.client_id, "client_secret": registered.secret}
    assert outcome(Client().post("/o/token/", {**body, **credentials})) == REFUSED
    assert outcome(ask(assertion_of(registered.application, registered.secret, "HS256"))) == REFUSED
    assert ask(assertion_of(registered.application, rsa)).status_code == 200


def test_who_registered_a_secret_cannot_sign(register: Callable[..., RegisteredClient], rsa: jwk.JWK) -> None:
    registered = register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        token_endpoint_auth_method="client_secret_basic",
        client_jwks=key_set(rsa),
        hash_client_secret=False,
    )
    assert outcome(ask(assertion_of(registered.application, rsa))) == REFUSED
    assert outcome(ask(assertion_of(registered.application, registered.secret, "HS256"))) == REFUSED


def test_a_hashed_secret_is_no_key(register: Callable[..., RegisteredClient]) -> None:
    registered = register(authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS)
    assert outcome(ask(assertion_of(registered.application, registered.secret, "HS256"))) == REFUSED
    stored = Application.objects.get().client_secret
    assert outcome(ask(assertion_of(registered.application, stored, "HS256"))) == REFUSED


def test_a_public_client_has_nothing_to_sign_with(
    register: Callable[..., RegisteredClient], rsa: jwk.JWK
) -> None:
    application = register(client_type=Application.CLIENT_PUBLIC, client_jwks=key_set(rsa)).application
    assert outcome(ask(assertion_of(application, rsa))) == REFUSED


def test_the_site_says_which_algorithms_it_takes(
    machine: Application, secretive: RegisteredClient, rsa: jwk.JWK, ec: jwk.JWK, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {
        "CLIENT_ASSERTION_PRIVATE_KEY_JWT_ALGS": ["ES256"],
        "CLIENT_ASSERTION_CLIENT_SECRET_JWT_ALGS": ["HS512"],
    }
    assert outcome(ask(assertion_of(machine, rsa))) == REFUSED
    assert ask(assertion_of(machine, ec, "ES256")).status_code == 200
    assert outcome(ask(assertion_of(secretive.application, secretive.secret, "HS256"))) == REFUSED
    assert ask(assertion_of(secretive.application, secretive.secret, "HS512")).status_code == 200


def test_the_log_says_why_but_not_what(
    machine: Application, rsa: jwk.JWK, caplog: pytest.LogCaptureFixture
) -> None:
    assertion = assertion_of(machine, rsa, jti="a jti", exp=0)
    with caplog.at_level(logging.WARNING, "oauth2_provider"):
        ask(assertion)
    record = next(record for record in caplog.records if record.name == "oauth2_provider")
    assert (record.action, record.cause, record.application) == (
        "client_assertion_refused",
        "exp is missing or over.",
        machine.pk,
    )
    assert not any(part in str(vars(record)) for part in ("a jti", assertion, assertion.split(".")[2]))


# -- keys that are fetched


@pytest.fixture(scope="module")
def keys_server() -> Iterator[OutsideServer]:
    with outside_server() as outside:
        yield outside


@pytest.fixture
def far(
    register: Callable[..., RegisteredClient], keys_server: OutsideServer, rsa: jwk.JWK, settings: Any
) -> Application:
    """A client whose keys are on a server of its own."""

    class Fetcher(OutsideFetcher):
        outside = keys_server

    settings.OAUTH2_PROVIDER = {"CLIENT_ASSERTION_JWKS_FETCHER": Fetcher}
    keys_server.asked.clear()
    return register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
        token_endpoint_auth_method="private_key_jwt",
        client_jwks_uri=keys_server.serve("/jwks.json", key_set(rsa).encode()),
    ).application


def test_keys_are_fetched_and_kept(far: Application, keys_server: OutsideServer, rsa: jwk.JWK) -> None:
    assert [ask(assertion_of(far, rsa)).status_code for _ in range(3)] == [200, 200, 200]
    assert keys_server.asked == ["/jwks.json"]


def test_kept_keys_are_fetched_again_after_their_time(
    far: Application, keys_server: OutsideServer, rsa: jwk.JWK, settings: Any
) -> None:
    settings.OAUTH2_PROVIDER = {
        **settings.OAUTH2_PROVIDER,
        "CLIENT_ASSERTION_JWKS_CACHE_TIMEOUT": 0,
        "CLIENT_ASSERTION_JWKS_FAILURE_BACKOFF_SECONDS": 0,
    }
    assert [ask(assertion_of(far, rsa)).status_code for _ in range(2)] == [200, 200]
    assert keys_server.asked == ["/jwks.json"] * 2


def test_a_new_key_is_found_but_not_by_asking_all_the_time(
    far: Application, keys_server: OutsideServer, rsa: jwk.JWK, other_rsa: jwk.JWK, settings: Any
) -> None:
    """OpenID Connect Core 1.0 section 10.1.1: an unfamiliar kid is the sign to look again."""
    assert ask(assertion_of(far, rsa)).status_code == 200
    keys_server.serve("/jwks.json", key_set(other_rsa).encode())
    assert [outcome(ask(assertion_of(far, other_rsa))) for _ in range(2)] == [REFUSED] * 2
    assert keys_server.asked == ["/jwks.json"]
    settings.OAUTH2_PROVIDER = {
        **settings.OAUTH2_PROVIDER,
        "CLIENT_ASSERTION_JWKS_FAILURE_BACKOFF_SECONDS": 0,
    }
    assert ask(assertion_of(far, other_rsa)).status_code == 200
    assert outcome(ask(assertion_of(far, rsa))) == REFUSED


@pytest.mark.parametrize("fault", ["status", "json", "no set", "too long", "secret", "not text"])
def test_a_key_set_that_is_none_is_not_asked_for_again_at_once(
    far: Application, keys_server: OutsideServer, rsa: jwk.JWK, settings: Any, fault: str
) -> None:
    content: dict[str, tuple[int, bytes]] = {
        "status": (404, key_set(rsa).encode()),
        "json": (200, b"{"),
        "no set": (200, b"[5]"),
        "too long": (200, key_set(rsa).encode().ljust(2000)),
        "secret": (200, json.dumps({"keys": [rsa.export(as_dict=True)]}).encode()),
        "not text": (200, b"\xff\xfe"),
    }
    status, body = content[fault]
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "CLIENT_ASSERTION_JWKS_MAX_SIZE": 1900}
    keys_server.serve("/jwks.json", body, status=status)
    assert [outcome(ask(assertion_of(far, rsa))) for _ in range(3)] == [REFUSED] * 3
    assert keys_server.asked == ["/jwks.json"]


def test_a_server_that_does_not_answer_is_left(
    far: Application, keys_server: OutsideServer, rsa: jwk.JWK, settings: Any
) -> None:
    done = threading.Event()
    keys_server.answers["/jwks.json"] = lambda handler: done.wait(30) and None
    settings.OAUTH2_PROVIDER = {
        **settings.OAUTH2_PROVIDER,
        "CLIENT_ASSERTION_JWKS_FETCH_TIMEOUT_SECONDS": 0.2,
    }
    began = time.monotonic()
    assert outcome(ask(assertion_of(far, rsa))) == REFUSED
    assert time.monotonic() - began < 5
    done.set()


@pytest.mark.parametrize(
    "uri", ["https://localhost/jwks.json", "http://printer.example/", "https://169.254.169.254/"]
)
def test_keys_are_not_fetched_from_inside(
    register: Callable[..., RegisteredClient], rsa: jwk.JWK, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 7523 is silent; OWASP SSRF: the URL is the client's, the network is ours."""
    application = register(
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS, client_jwks_uri=uri
    ).application
    with caplog.at_level(logging.WARNING, "oauth2_provider"):
        assert outcome(ask(assertion_of(application, rsa))) == REFUSED
    assert "client_jwks_unreachable" in [getattr(record, "action", "") for record in caplog.records]
