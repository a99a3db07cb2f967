"""The client as a row."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import serializers
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction
from django.test import override_settings
from django.utils import timezone
from jwcrypto.jwk import JWK, JWKSet

from oauth2_provider.models import Application
from tests.oauth2_provider.models.conftest import make_application

CODE = Application.GRANT_AUTHORIZATION_CODE
RSA = JWK.generate(kty="RSA", size=2048)
PEM = RSA.export_to_pem(private_key=True, password=None).decode()


def unsaved(**fields: Any) -> Application:
    """Return an application that is valid, but for `fields`."""
    defaults = {
        "client_type": Application.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": CODE,
        "redirect_uris": "https://client.example/cb",
    }
    return Application(**{**defaults, **fields})


def refusal(application: Application) -> str | None:
    """Return what `clean` says, or None where it says nothing."""
    try:
        application.clean()
    except ValidationError as exc:
        return exc.messages[0]
    return None


def jwks(*keys: JWK) -> str:
    key_set = JWKSet()
    for key in keys:
        key_set.add(key)
    return key_set.export(private_keys=True)


@pytest.mark.parametrize("grant_type", [CODE, Application.GRANT_IMPLICIT, Application.GRANT_OPENID_HYBRID])
def test_a_flow_that_redirects_needs_a_redirect_uri(grant_type: str) -> None:
    """RFC 6749 section 3.1.2.2."""
    application = unsaved(authorization_grant_type=grant_type, redirect_uris="")

    assert refusal(application) == f"At least one redirect URI is needed for the grant type {grant_type}"


@pytest.mark.parametrize(
    "grant_type",
    [Application.GRANT_CLIENT_CREDENTIALS, Application.GRANT_PASSWORD, Application.GRANT_DEVICE_CODE],
)
def test_a_flow_that_does_not_redirect_needs_none(grant_type: str) -> None:
    assert refusal(unsaved(authorization_grant_type=grant_type, redirect_uris="")) is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"redirect_uris": "https://client.example/cb https://client.example/cb#x"},
            "https://client.example/cb#x is not a valid redirect uri: a fragment is not allowed",
        ),
        (
            {"redirect_uris": "https://[bad"},
            "https://[bad is not a valid redirect uri: it cannot be parsed",
        ),
        (
            {"redirect_uris": "client.example/cb"},
            "client.example/cb is not a valid redirect uri: this scheme is not allowed",
        ),
        (
            {"allowed_origins": "https://client.example https://client.example/path"},
            "https://client.example/path is not a valid allowed origin: a path is not allowed",
        ),
    ],
)
def test_every_registered_uri_and_origin_is_validated(fields: dict[str, str], message: str) -> None:
    assert refusal(unsaved(**fields)) == message


def test_rs256_needs_the_servers_key(db: None) -> None:
    application = unsaved(algorithm=Application.RS256_ALGORITHM)

    assert refusal(application) == (
        "RS256 needs a key: run `manage.py createsigningkey RS256`, or set OIDC_RSA_PRIVATE_KEY"
    )
    with pytest.raises(ImproperlyConfigured):
        application.jwk_key  # noqa: B018
    with override_settings(OAUTH2_PROVIDER={"OIDC_RSA_PRIVATE_KEY": PEM}):
        assert refusal(application) is None
        assert application.jwk_key.thumbprint() == RSA.thumbprint()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, None),
        ({"client_type": "public"}, "which no public client"),
        ({"authorization_grant_type": "implicit"}, "which no public client"),
        ({"authorization_grant_type": "openid-hybrid"}, "which no public client"),
        ({"hash_client_secret": True}, "it must not be hashed"),
        ({"client_secret": "x" * 31}, "at least 32 bytes"),
        ({"client_secret": "ü" * 16}, None),
    ],
)
def test_hs256_needs_a_long_plain_secret_that_the_client_can_keep(
    fields: dict[str, Any], message: str | None
) -> None:
    """RFC 7518 section 3.2."""
    application = unsaved(**{"algorithm": "HS256", "hash_client_secret": False, **fields})

    said = refusal(application)
    assert said is None if message is None else message in str(said)


def test_the_hs256_key_is_the_client_secret() -> None:
    application = unsaved(algorithm="HS256", hash_client_secret=False, client_secret="s" * 32)

    assert application.jwk_key.get_op_key("sign") == JWK.from_password("s" * 32).get_op_key("sign")


def test_a_hashed_secret_and_no_algorithm_give_no_key() -> None:
    with pytest.raises(ImproperlyConfigured, match="hashed"):
        unsaved(algorithm="HS256", client_secret="md5$salt$digest").jwk_key  # noqa: B018
    with pytest.raises(ImproperlyConfigured, match="no algorithm"):
        unsaved().jwk_key  # noqa: B018


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"token_endpoint_auth_method": "private_key_jwt"},
            "private_key_jwt needs client_jwks or client_jwks_uri",
        ),
        (
            {"token_endpoint_auth_method": "client_secret_jwt"},
            "client_secret_jwt needs a client secret that is not hashed",
        ),
        (
            {
                "client_jwks": jwks(JWK(**RSA.export_public(as_dict=True))),
                "client_jwks_uri": "https://x.example",
            },
            "client_jwks and client_jwks_uri exclude each other",
        ),
        ({"client_jwks": jwks(RSA)}, "client_jwks must hold public keys only"),
        ({"client_jwks": jwks(JWK.generate(kty="oct", size=256))}, "client_jwks must hold public keys only"),
        ({"client_jwks": "{}"}, "client_jwks is not a JWK Set (RFC 7517 section 5)"),
        ({"client_jwks": "[]"}, "client_jwks is not a JWK Set (RFC 7517 section 5)"),
        ({"client_jwks": "no json"}, "client_jwks is not a JWK Set (RFC 7517 section 5)"),
        (
            {"client_jwks": json.dumps({"keys": [{"kty": "RSA"}]})},
            "client_jwks is not a JWK Set (RFC 7517 section 5)",
        ),
        ({"token_endpoint_auth_method": "client_secret_jwt", "hash_client_secret": False}, None),
        (
            {
                "token_endpoint_auth_method": "private_key_jwt",
                "client_jwks": jwks(JWK(**RSA.export_public(as_dict=True))),
            },
            None,
        ),
    ],
)
def test_the_authentication_method_needs_its_key(fields: dict[str, Any], message: str | None) -> None:
    """RFC 7591 section 2, RFC 7523 section 2.2."""
    assert refusal(unsaved(**fields)) == message


def test_the_clients_own_keys_are_read_from_its_jwks() -> None:
    keys = unsaved(client_jwks=jwks(JWK(**RSA.export_public(as_dict=True)))).get_client_signing_jwks()

    assert keys is not None
    assert [key.thumbprint() for key in keys] == [RSA.thumbprint()]
    assert unsaved().get_client_signing_jwks() is None


def test_the_default_redirect_uri_is_the_only_one_registered() -> None:
    """RFC 6749 section 3.1.2.3: where several are registered, a request must name one."""
    assert unsaved(redirect_uris=" https://a.example\n").default_redirect_uri == "https://a.example"
    with pytest.raises(ImproperlyConfigured, match="several redirect URIs"):
        unsaved(redirect_uris="https://a.example\nhttps://b.example").default_redirect_uri  # noqa: B018
    with pytest.raises(ImproperlyConfigured, match="redirect URI is required"):
        unsaved(redirect_uris=" ").default_redirect_uri  # noqa: B018


def test_what_is_allowed_is_what_is_registered() -> None:
    application = unsaved(
        redirect_uris="https://a.example/ https://b.example/",
        post_logout_redirect_uris="https://a.example/bye",
        allowed_origins="https://a.example",
    )

    assert application.redirect_uri_allowed("https://b.example/")
    assert not application.redirect_uri_allowed("https://a.example/bye")
    assert application.post_logout_redirect_uri_allowed("https://a.example/bye")
    assert not application.post_logout_redirect_uri_allowed("https://a.example/")
    assert application.origin_allowed("https://a.example")
    assert not application.origin_allowed("https://b.example")
    assert not unsaved().origin_allowed("https://a.example")


def test_an_application_that_lists_none_has_one_grant_type() -> None:
    assert unsaved().allows_grant_type(CODE, Application.GRANT_IMPLICIT)
    assert not unsaved().allows_grant_type(Application.GRANT_IMPLICIT)


def test_use_is_noted_at_most_once_an_hour(application: Application, django_assert_num_queries: Any) -> None:
    now = timezone.now()
    with django_assert_num_queries(1):
        application.mark_used(now)
    application.refresh_from_db()
    with django_assert_num_queries(0):
        application.mark_used(now + timedelta(minutes=59))
    assert application.last_used == now

    later = now + timedelta(hours=1)
    with django_assert_num_queries(1):
        application.mark_used(later)
    assert Application.objects.get(pk=application.pk).last_used == later


def test_use_that_is_rolled_back_is_noted_when_the_transaction_runs_again(application: Application) -> None:
    now = timezone.now()
    with transaction.atomic():
        application.mark_used(now)
        transaction.set_rollback(True)

    application.mark_used(now)

    assert Application.objects.get(pk=application.pk).last_used == now


def test_use_noted_by_another_process_meanwhile_is_not_set_back(application: Application) -> None:
    now = timezone.now()
    Application.objects.get(pk=application.pk).mark_used(now)

    application.mark_used(now - timedelta(minutes=1))

    assert Application.objects.get(pk=application.pk).last_used == now


def test_an_application_is_serialized_by_its_client_id(application: Application) -> None:
    assert application.natural_key() == (application.client_id,)
    assert Application.objects.get_by_natural_key(application.client_id) == application
    serialized = serializers.serialize("json", [application], use_natural_primary_keys=True)
    assert "pk" not in json.loads(serialized)[0]


def test_an_application_is_called_by_its_name_or_its_client_id() -> None:
    assert str(unsaved(name="Web")) == "Web"
    assert str(unsaved(client_id="abc")) == "abc"


@pytest.mark.django_db
def test_a_new_application_has_an_identifier_and_a_secret_of_its_own() -> None:
    first, second = make_application(), make_application()

    assert first.client_id != second.client_id
    assert Application().client_secret != Application().client_secret
