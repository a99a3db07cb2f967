"""What the clients of a taken-over site have in their hands goes on working, and what was over stays over."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.compat.conftest import Takeover, succeed

Response = dict[str, Any]


@pytest.fixture(scope="module")
def responses(takeover: Takeover) -> dict[str, Response]:
    """The responses of this project to what the clients of the site ask after the takeover, by name."""
    return ask(takeover, _requests(takeover.facts))


def ask(takeover: Takeover, requests: dict[str, dict[str, Any]]) -> dict[str, Response]:
    done = takeover.site.ours("takeover_site.client", stdin=list(requests.values()))
    return dict(zip(requests, json.loads(succeed(done)), strict=True))


def _requests(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    web = {"client_id": facts["web_client_id"], "client_secret": facts["secret"]}
    plain = {"client_id": facts["plain_client_id"], "client_secret": facts["plain_secret"]}
    machine = {"client_id": facts["machine_client_id"], "client_secret": facts["plain_secret"]}
    access_token = facts["tokens"]["access_token"]
    redirect = {"code_verifier": facts["verifier"], "redirect_uri": facts["callback"]}
    device = {"client_id": facts["device_client_id"], "device_code": facts["device"]["device_code"]}
    return {
        "resource": {"method": "get", "path": "/resource/", "token": access_token},
        "resource, hashed token": _resource(facts["hashed_access_token"]),
        "resource, revoked token": _resource(facts["revoked_access_token"]),
        "resource, expired token": _resource("expired"),
        "introspect": _post("/o/introspect/", token=access_token, **web),
        "introspect by bearer": {
            **_post("/o/introspect/", token=facts["plain_tokens"]["access_token"]),
            "token": facts["machine_tokens"]["access_token"],
        },
        "code": _token("authorization_code", code=facts["code"], **redirect, **web),
        "code again": _token("authorization_code", code=facts["code"], **redirect, **web),
        "openid code": _token("authorization_code", code=facts["oidc_code"], **redirect, **web),
        "openid refresh": _token("refresh_token", refresh_token=facts["oidc_tokens"]["refresh_token"], **web),
        "refresh": _token("refresh_token", refresh_token=facts["tokens"]["refresh_token"], **web),
        "refresh, rotated": _token(
            "refresh_token", refresh_token=facts["rotated_tokens"]["refresh_token"], **web
        ),
        "refresh, used": _token(
            "refresh_token", refresh_token=facts["rotated_tokens"]["used_refresh_token"], **web
        ),
        "refresh, plain secret": _token(
            "refresh_token", refresh_token=facts["plain_tokens"]["refresh_token"], **plain
        ),
        "machine": _token("client_credentials", **machine),
        "wrong secret": _token("client_credentials", **{**machine, "client_secret": "wrong"}),
        "device": _token("urn:ietf:params:oauth:grant-type:device_code", **device),
    }


def _post(path: str, **data: str) -> dict[str, Any]:
    return {"method": "post", "path": path, "data": data}


def _token(grant_type: str, **data: str) -> dict[str, Any]:
    return _post("/o/token/", grant_type=grant_type, **data)


def _resource(token: str) -> dict[str, Any]:
    return {"method": "get", "path": "/resource/", "token": token}


def test_access_tokens_issued_before_open_the_protected_resource(responses: dict[str, Response]) -> None:
    assert responses["resource"] == {"status": 200, "body": "hello ann"}
    assert responses["resource, hashed token"] == {"status": 200, "body": "hello ann"}


def test_access_tokens_that_were_over_stay_over(responses: dict[str, Response]) -> None:
    assert responses["resource, revoked token"]["status"] == 401
    assert responses["resource, expired token"]["status"] == 401


def test_introspection_knows_tokens_issued_before(responses: dict[str, Response], takeover: Takeover) -> None:
    for name, client in (("introspect", "web"), ("introspect by bearer", "plain")):
        body = responses[name]["body"]
        assert {key: body[key] for key in ("active", "client_id", "scope", "username")} == {
            "active": True,
            "client_id": takeover.facts[f"{client}_client_id"],
            "scope": "read",
            "username": "ann",
        }


def test_a_code_issued_before_is_exchanged_once(responses: dict[str, Response]) -> None:
    tokens = responses["code"]["body"]

    assert responses["code"]["status"] == 200, tokens
    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "read")
    assert tokens.keys() >= {"access_token", "refresh_token"}
    assert (responses["code again"]["status"], responses["code again"]["body"]["error"]) == (
        400,
        "invalid_grant",
    )


@pytest.mark.parametrize("request_name", ["openid code", "openid refresh"])
def test_what_had_the_scope_openid_gives_id_tokens_under_the_same_key(
    responses: dict[str, Response], takeover: Takeover, request_name: str
) -> None:
    response = responses[request_name]

    assert response["status"] == 200, response
    assert _key_id(response["body"]["id_token"]) == _key_id(takeover.facts["oidc_tokens"]["id_token"])


@pytest.mark.parametrize("request_name", ["refresh", "refresh, rotated", "refresh, plain secret"])
def test_a_refresh_token_issued_before_refreshes(responses: dict[str, Response], request_name: str) -> None:
    response = responses[request_name]

    assert response["status"] == 200, response
    assert response["body"].keys() >= {"access_token", "refresh_token"}


def test_a_refresh_token_used_before_stays_used(responses: dict[str, Response]) -> None:
    response = responses["refresh, used"]

    assert (response["status"], response["body"]["error"]) == (400, "invalid_grant")


def test_a_client_secret_still_authenticates_and_a_wrong_one_does_not(responses: dict[str, Response]) -> None:
    assert responses["machine"]["status"] == 200, responses["machine"]
    assert (responses["wrong secret"]["status"], responses["wrong secret"]["body"]) == (
        401,
        {"error": "invalid_client"},
    )


def test_a_device_code_issued_before_is_still_pending(responses: dict[str, Response]) -> None:
    assert (responses["device"]["status"], responses["device"]["body"]["error"]) == (
        400,
        "authorization_pending",
    )


def _key_id(jwt: str) -> str:
    header = jwt.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])
