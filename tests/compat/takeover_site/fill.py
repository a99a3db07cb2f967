"""Fill a migrated database with all that a site on django-oauth-toolkit 3.4.1 may hold.

Run by the toolkit's interpreter. What the site's clients keep in their own pockets (tokens, codes, secrets)
is printed as one JSON object.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import uuid
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402
from takeover_site.models import Subscription  # noqa: E402

from oauth2_provider.models import (  # noqa: E402
    AccessToken,
    Application,
    DeviceGrant,
    Grant,
    IDToken,
    RefreshToken,
    set_token_value,
)
from oauth2_provider.settings import oauth2_settings  # noqa: E402

CALLBACK = "https://client.example/callback"
VERIFIER = "a-code-verifier-that-is-long-enough-for-rfc-7636-to-like-it"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SECRET = "chosen by a person, kept as a password hash"
PLAIN_SECRET = "kept as it is, since HS256 signs with it"


def main() -> None:
    user = User.objects.create(username="ann")
    applications = create_applications(user)
    Subscription.objects.create(application=applications["web"], plan="gold")
    browser = Client()
    browser.force_login(user)
    facts = {"verifier": VERIFIER, "callback": CALLBACK, "secret": SECRET, "plain_secret": PLAIN_SECRET}
    facts |= {f"{name}_client_id": application.client_id for name, application in applications.items()}
    web, plain = applications["web"], applications["plain"]
    facts["code"] = authorize(browser, web)
    facts["tokens"] = exchange(browser, web, authorize(browser, web))
    facts["plain_tokens"] = exchange(browser, plain, authorize(browser, plain), secret=PLAIN_SECRET)
    facts["oidc_code"] = authorize(browser, web, scope="openid read")
    facts["oidc_tokens"] = exchange(browser, web, authorize(browser, web, scope="openid read"))
    facts["hs256_tokens"] = exchange(
        browser, plain, authorize(browser, plain, scope="openid read"), secret=PLAIN_SECRET
    )
    facts["rotated_tokens"] = rotate(browser, web)
    facts["revoked_access_token"] = revoke(browser, web)
    facts["machine_tokens"] = client_credentials(browser, applications["machine"])
    facts["device"] = device_authorization(browser, applications["device"])
    facts |= fill_models(user, web)
    json.dump(facts, sys.stdout)


def create_applications(user: User) -> dict[str, Application]:
    code = {"authorization_grant_type": Application.GRANT_AUTHORIZATION_CODE, "redirect_uris": CALLBACK}
    confidential = {"client_type": Application.CLIENT_CONFIDENTIAL, "user": user}
    create = Application.objects.create
    return {
        "web": create(
            name="Web",
            client_secret=SECRET,
            algorithm="RS256",
            skip_authorization=True,
            **code,
            **confidential,
        ),
        "plain": create(
            name="Plain",
            client_secret=PLAIN_SECRET,
            hash_client_secret=False,
            algorithm="HS256",
            **code,
            **confidential,
        ),
        "machine": create(
            name="Machine",
            client_secret=PLAIN_SECRET,
            hash_client_secret=False,
            authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
            **confidential,
        ),
        "device": create(
            name="",
            client_type=Application.CLIENT_PUBLIC,
            authorization_grant_type=Application.GRANT_DEVICE_CODE,
            allowed_origins="https://tv.example",
            post_logout_redirect_uris="https://tv.example/bye",
        ),
    }


def authorize(browser: Client, application: Application, *, scope: str = "read") -> str:
    parameters = {
        "client_id": application.client_id,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": scope,
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "nonce": "n-0S6_WzA2Mj",
    }
    response = browser.post("/o/authorize/", {**parameters, "allow": "Authorize"})
    return parse_qs(urlsplit(response["Location"]).query)["code"][0]


def exchange(browser: Client, application: Application, code: str, *, secret: str = SECRET) -> dict:
    return token_request(
        browser,
        grant_type="authorization_code",
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
        client_id=application.client_id,
        client_secret=secret,
    )


def rotate(browser: Client, application: Application) -> dict:
    """Return the tokens that rotation made of a first pair, whose refresh token is now revoked."""
    first = exchange(browser, application, authorize(browser, application))
    tokens = token_request(
        browser,
        grant_type="refresh_token",
        refresh_token=first["refresh_token"],
        client_id=application.client_id,
        client_secret=SECRET,
    )
    return {**tokens, "used_refresh_token": first["refresh_token"]}


def revoke(browser: Client, application: Application) -> str:
    tokens = exchange(browser, application, authorize(browser, application))
    credentials = {"client_id": application.client_id, "client_secret": SECRET}
    response = browser.post("/o/revoke_token/", {"token": tokens["refresh_token"], **credentials})
    expect(response, 200)
    return tokens["access_token"]


def client_credentials(browser: Client, application: Application) -> dict:
    return token_request(
        browser,
        grant_type="client_credentials",
        client_id=application.client_id,
        client_secret=PLAIN_SECRET,
        scope="introspection",
    )


def device_authorization(browser: Client, application: Application) -> dict:
    response = browser.post(
        "/o/device-authorization/",
        f"client_id={application.client_id}&scope=read",
        content_type="application/x-www-form-urlencoded",
    )
    return expect(response, 200)


def token_request(browser: Client, **parameters: str) -> dict:
    return expect(browser.post("/o/token/", parameters), 200)


def expect(response: django.http.HttpResponse, status: int) -> dict:
    if response.status_code != status:
        raise SystemExit(f"{response.request['PATH_INFO']}: {response.status_code} {response.content!r}")
    return json.loads(response.content or "null")


def fill_models(user: User, application: Application) -> dict[str, str]:
    """Add what takes time to come about over HTTP: what is expired, stored blank, doubled."""
    now = timezone.now()
    past, future = now - timedelta(days=30), now + timedelta(days=1)
    owned = {"user": user, "application": application, "scope": "read"}
    expired_id_token = IDToken.objects.create(jti=uuid.uuid4(), expires=past, **owned)
    AccessToken.objects.create(token="expired", expires=past, id_token=expired_id_token, **owned)
    AccessToken.objects.create(token="of nobody", expires=future, scope="read write")
    AccessToken.objects.create(
        token="for one resource", expires=future, resource=["https://api.example/"], **owned
    )
    Grant.objects.create(code="expired", expires=past, redirect_uri=CALLBACK, **owned)
    DeviceGrant.objects.create(
        device_code="denied",
        user_code="BCDF",
        client_id="x",
        expires=past,
        status=DeviceGrant.DENIED,
        user=user,
    )
    store_hashed(owned, future)
    store_doubled(user, application, future)
    return {"hashed_access_token": "kept-as-a-checksum-only"}


def store_hashed(owned: dict, future: timezone.datetime) -> None:
    oauth2_settings.COMPLIANT_BCP_RFC9700_TOKEN_STORAGE = True
    access_token = AccessToken(expires=future, **owned)
    set_token_value(access_token, "kept-as-a-checksum-only")
    access_token.save()


def store_doubled(user: User, application: Application, future: timezone.datetime) -> None:
    """One refresh token three times, as versions before 3.4 could leave it: live, live and revoked."""
    family = uuid.uuid4()
    for number, revoked in enumerate([None, None, timezone.now()]):
        refresh_token = RefreshToken.objects.create(
            token="doubled", user=user, application=application, token_family=family, revoked=revoked
        )
        AccessToken.objects.create(
            token=f"from the doubled one {number}",
            expires=future,
            source_refresh_token=refresh_token,
            user=user,
            application=application,
        )


main()
