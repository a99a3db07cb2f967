"""Clients at work while something else goes on: threads that use the token endpoint as fast as they can."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connections
from django.test import Client
from django.utils import timezone

from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken

REDIRECT_URI = "https://client.example/callback"
VERIFIER = "a-code-verifier-of-more-than-forty-three-characters"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


class Traffic:
    """Threads that repeat `step` until `stop`; what they raise is raised in `stop`."""

    def __init__(self) -> None:
        self.done = 0
        self.errors: list[BaseException] = []
        self._stop = threading.Event()
        self._counted = threading.Condition()
        self._threads: list[threading.Thread] = []

    def start(self, step: Callable[[], bool]) -> None:
        """Repeat `step` in a thread of its own until it returns False."""
        thread = threading.Thread(target=self._work, args=[step], daemon=True)
        self._threads.append(thread)
        thread.start()

    def wait_for(self, steps: int) -> None:
        """Return once `steps` more have been done."""
        target = self.done + steps
        with self._counted:
            assert self._counted.wait_for(lambda: self.done >= target or self.errors, timeout=60)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive()
        if self.errors:
            raise self.errors[0]

    def _work(self, step: Callable[[], bool]) -> None:
        try:
            while not self._stop.is_set() and step():
                with self._counted:
                    self.done += 1
                    self._counted.notify_all()
        except BaseException as error:
            with self._counted:
                self.errors.append(error)
                self._counted.notify_all()
        finally:
            connections.close_all()


class Session:
    """A client's session for one user: it holds a code or a refresh token and goes on from answer to answer."""

    def __init__(self, user: Any, application: Application, name: str) -> None:
        self.user, self.application, self.name = user, application, name
        self.client = Client()
        self.refresh_token: str | None = None
        self.code: str | None = None
        self.is_refused = False

    def start(self) -> Session:
        """Begin with a refresh token."""
        now = timezone.now()
        owner = {"user": self.user, "application": self.application}
        access_token = AccessToken.objects.create(
            token=f"a {self.name}", expires=now + timedelta(hours=1), scope="read", **owner
        )
        RefreshToken.objects.create(token=f"r {self.name}", access_token=access_token, **owner)
        self.refresh_token = f"r {self.name}"
        return self

    def start_with_code(self) -> Session:
        """Begin with an authorization code."""
        self.code = f"code {self.name}"
        Grant.objects.create(
            code=self.code,
            expires=timezone.now() + timedelta(hours=1),
            redirect_uri=REDIRECT_URI,
            scope="read",
            code_challenge=CHALLENGE,
            code_challenge_method="S256",
            user=self.user,
            application=self.application,
        )
        return self

    def step(self) -> bool:
        """Exchange or refresh once; False once the client is refused as RFC 6749 section 5.2 says."""
        answer = self.client.post("/o/token/", {"client_id": self.application.client_id, **self._request()})
        body = answer.json()
        if answer.status_code == 400 and body["error"] == "invalid_grant":
            self.is_refused = True
            return False
        assert answer.status_code == 200, (answer.status_code, body)
        self.code, self.refresh_token = None, body["refresh_token"]
        return True

    def _request(self) -> dict[str, str]:
        if self.code is not None:
            return {
                "grant_type": "authorization_code",
                "code": self.code,
                "redirect_uri": REDIRECT_URI,
                "code_verifier": VERIFIER,
            }
        return {"grant_type": "refresh_token", "refresh_token": str(self.refresh_token)}
