"""Clients that authenticate by a signed JWT: private_key_jwt and client_secret_jwt (RFC 7521 section 4.2, RFC 7523)."""

from __future__ import annotations

import logging
from typing import Any

from django.urls import NoReverseMatch, reverse

from ..flows import client_assertions
from ..settings import oauth2_settings

logger = logging.getLogger("oauth2_provider")
ENDPOINTS = ("token", "pushed-authorization-request")


def presented_assertion(request: Any) -> tuple[str | None, str | None]:
    """Return client_assertion_type and client_assertion of the body; never of the URI, which gets into logs."""
    body = dict(request.decoded_body or [])
    return body.get("client_assertion_type"), body.get("client_assertion")


class AssertionHooks:
    """Authenticates by an assertion."""

    def _has_assertion(self, request: Any) -> bool:
        return any(presented_assertion(request))

    def _authenticate_assertion(self, request: Any) -> bool:
        """Authenticate a confidential client by its assertion; `client_id`, where it is sent, must be its own."""
        assertion_type, assertion = presented_assertion(request)
        if assertion_type != client_assertions.ASSERTION_TYPE or not assertion:
            return False
        client_id = client_assertions.client_id_of(assertion)
        if client_id is None or request.client_id not in (None, client_id):
            return False
        application = self._load_application(client_id, request)  # type: ignore[attr-defined]
        if application is None or application.client_type != application.CLIENT_CONFIDENTIAL:
            return self._refuse(request, application, "There is no such confidential client.")
        try:
            client_assertions.verify(assertion, application, audiences=self.get_assertion_audiences())
        except client_assertions.AssertionRefused as refused:
            return self._refuse(request, application, str(refused))
        request.client_id = application.client_id
        return True

    def get_assertion_audiences(self) -> set[str]:
        """Return the `aud` values that mean this server: CLIENT_ASSERTION_ACCEPTED_AUDIENCES, else its own names.

        RFC 9126 section 2: issuer, token endpoint and pushed authorization request endpoint MUST be accepted.
        """
        accepted = oauth2_settings.CLIENT_ASSERTION_ACCEPTED_AUDIENCES
        if accepted is not None:
            return set(accepted)
        http_request: Any = self.django_request  # type: ignore[attr-defined]
        names = {http_request.build_absolute_uri(http_request.path)}
        for name in ENDPOINTS:
            try:
                names.add(http_request.build_absolute_uri(reverse(f"oauth2_provider:{name}")))
                names.add(oauth2_settings.oauth2_authorization_server_issuer(http_request))
            except NoReverseMatch:  # a site that has not included the endpoint
                continue
        return names

    def _refuse(self, request: Any, application: Any, cause: str) -> bool:
        request.client = None
        logger.warning(
            "a client assertion is refused",
            extra={
                "action": "client_assertion_refused",
                "application": getattr(application, "pk", None),
                "cause": cause,
            },
        )
        return False
