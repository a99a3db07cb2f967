"""Requests through the site's WSGI application, one after the other, in one process.

Options: `kind` and how many `requests` are measured. What a request needs is stored before the clock starts.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.utils import timezone  # noqa: E402
from side.measure import measure, options  # noqa: E402

from oauth2_provider.generators import generate_client_secret  # noqa: E402
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken  # noqa: E402

Environ = dict[str, Any]
CALLBACK = "https://client.example/cb"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SCOPE = "read write"
WARM_UP = 3
wsgi = get_wsgi_application()
logging.disable()


def post(path: str, authorization: str = "", **data: str) -> Environ:
    body = urlencode(data).encode()
    return {
        **_environ("POST", path, authorization),
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(body)),
        "body": body,
    }


def get(path: str, authorization: str = "", query: str = "") -> Environ:
    return {**_environ("GET", path, authorization), "QUERY_STRING": query, "body": b""}


def _environ(method: str, path: str, authorization: str) -> Environ:
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "REMOTE_ADDR": "127.0.0.1",
    }
    return {**environ, "HTTP_AUTHORIZATION": authorization} if authorization else environ


class Client:
    """An application with its secret, and what belongs to it."""

    def __init__(self, grant_type: str, *, is_hashed: bool = False) -> None:
        self.secret = generate_client_secret()
        self.user = User.objects.get(pk=1)
        self.application = Application.objects.create(
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=grant_type,
            client_secret=self.secret,
            hash_client_secret=is_hashed,
            redirect_uris=CALLBACK,
            user=self.user,
        )
        credentials = f"{self.application.client_id}:{self.secret}".encode()
        self.basic = f"Basic {base64.b64encode(credentials).decode()}"
        self.owner = {"user": self.user, "application": self.application}
        self.later = timezone.now() + timedelta(hours=1)

    def token_request(self, **data: str) -> Environ:
        return post("/o/token/", self.basic, **data)

    def access_token(self, token: str) -> AccessToken:
        return AccessToken.objects.create(token=token, expires=self.later, scope=SCOPE, **self.owner)


def client_credentials(number: int, *, is_hashed: bool = True) -> Iterator[Environ]:
    client = Client(Application.GRANT_CLIENT_CREDENTIALS, is_hashed=is_hashed)
    for _ in range(number):
        yield client.token_request(grant_type="client_credentials", scope=SCOPE)


def client_credentials_plain(number: int) -> Iterator[Environ]:
    return client_credentials(number, is_hashed=False)


def code(number: int) -> Iterator[Environ]:
    client = Client(Application.GRANT_AUTHORIZATION_CODE)
    for index in range(number):
        Grant.objects.create(
            code=f"code{index}",
            expires=client.later,
            redirect_uri=CALLBACK,
            scope=SCOPE,
            code_challenge=CHALLENGE,
            code_challenge_method="S256",
            **client.owner,
        )
        yield client.token_request(
            grant_type="authorization_code",
            code=f"code{index}",
            redirect_uri=CALLBACK,
            code_verifier=VERIFIER,
        )


def refresh(number: int) -> Iterator[Environ]:
    client = Client(Application.GRANT_AUTHORIZATION_CODE)
    for index in range(number):
        access_token = client.access_token(f"access{index}")
        RefreshToken.objects.create(token=f"refresh{index}", access_token=access_token, **client.owner)
        yield client.token_request(grant_type="refresh_token", refresh_token=f"refresh{index}")


def bearer(number: int) -> Iterator[Environ]:
    client = Client(Application.GRANT_AUTHORIZATION_CODE)
    client.access_token("bearer")
    for _ in range(number):
        yield get("/resource/", "Bearer bearer")


def introspect(number: int) -> Iterator[Environ]:
    client = Client(Application.GRANT_AUTHORIZATION_CODE)
    client.access_token("introspected")
    for _ in range(number):
        yield post("/o/introspect/", client.basic, token="introspected")


def one_select(number: int) -> Iterator[Environ]:
    client = Client(Application.GRANT_AUTHORIZATION_CODE)
    checksum = client.access_token("selected").token_checksum
    for _ in range(number):
        yield get("/one-select/", query=f"checksum={checksum}")


def select_and_insert(number: int) -> Iterator[Environ]:
    client = Client(Application.GRANT_CLIENT_CREDENTIALS)
    for _ in range(number):
        yield post("/select-and-insert/", client_id=client.application.client_id)


def authlib(number: int) -> Iterator[Environ]:
    from side.authlib_site.models import OAuth2Client
    from side.authlib_site.views import make_tables

    make_tables()
    OAuth2Client.objects.create(user_id=1, client_id="client", client_secret="secret", scope=SCOPE)
    credentials = base64.b64encode(b"client:secret").decode()
    for _ in range(number):
        yield post("/authlib/token/", f"Basic {credentials}", grant_type="client_credentials", scope=SCOPE)


KINDS = {
    "authlib": authlib,
    "client_credentials": client_credentials,
    "client_credentials_plain": client_credentials_plain,
    "code": code,
    "refresh": refresh,
    "bearer": bearer,
    "introspect": introspect,
    "one-select": one_select,
    "select-and-insert": select_and_insert,
}


def send(environ: Environ) -> None:
    """Send one request; a response other than 200 ends the benchmark."""
    statuses: list[str] = []
    body = environ.pop("body")
    response = wsgi({**environ, "wsgi.input": BytesIO(body)}, lambda status, headers: statuses.append(status))
    content = b"".join(response)
    response.close()
    if not statuses[0].startswith("200") or b'"active": false' in content:
        raise SystemExit(f"{environ['PATH_INFO']}: {statuses[0]} {content[:500]!r}")


def work(requests: list[Environ]) -> Mapping[str, int]:
    for environ in requests:
        send(environ)
    return {"requests": len(requests)}


if __name__ == "__main__":
    chosen = options()
    prepared = list(KINDS[chosen["kind"]](chosen["requests"] + WARM_UP))
    for environ in prepared[:WARM_UP]:
        send(environ)
    measure(lambda: work(prepared[WARM_UP:]))
