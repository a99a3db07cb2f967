"""Grants of a site's own: the JWT bearer grant (RFC 7523 section 2.1) and token exchange (RFC 8693), in short."""

from __future__ import annotations

import json

from django.contrib.auth import get_user_model
from jwcrypto import jwk, jwt
from jwcrypto.common import JWException

from oauth2_provider.extension_grants import (
    Authorization,
    ExtensionGrant,
    ExtensionGrantError,
    ExtensionGrantRequest,
)
from oauth2_provider.models import AccessToken, Application, token_checksum

PARTNER_KEY = jwk.JWK.generate(kty="EC", crv="P-256")
"""The key of somebody whom the site trusts to say who its users are."""


class JWTBearerGrant(ExtensionGrant):
    grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    application_kinds = (Application.GRANT_CLIENT_CREDENTIALS,)

    def authorize(self, request: ExtensionGrantRequest) -> Authorization:
        if "assertion" not in request.parameters:
            raise ExtensionGrantError("The assertion parameter is missing.", error="invalid_request")
        try:
            token = jwt.JWT(jwt=request.parameters["assertion"], key=PARTNER_KEY, algs=["ES256"])
        except (JWException, ValueError):
            raise ExtensionGrantError("The assertion is not valid.") from None
        user = get_user_model().objects.filter(username=json.loads(token.claims)["sub"]).first()
        if user is None:
            raise ExtensionGrantError("The subject has no account here.")
        return Authorization(user=user, has_refresh_token="refresh" in request.parameters)


class TokenExchangeGrant(ExtensionGrant):
    grant_type = "urn:ietf:params:oauth:grant-type:token-exchange"

    def allows(self, application: Application) -> bool:
        return application.client_type == Application.CLIENT_CONFIDENTIAL

    def authorize(self, request: ExtensionGrantRequest) -> Authorization:
        checksum = token_checksum(request.parameters.get("subject_token", ""))
        subject = AccessToken.objects.filter(token_checksum=checksum).first()
        if subject is None or subject.is_expired():
            raise ExtensionGrantError
        issued = {"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}
        scopes = [scope for scope in request.scopes or subject.scope.split() if subject.allow_scopes([scope])]
        return Authorization(
            user=subject.user, scopes=scopes, resource=["https://inner.example/"], members=issued
        )


class NamelessGrant(ExtensionGrant):
    grant_type = "nameless"
