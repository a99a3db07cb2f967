"""Authlib's token endpoint."""

from __future__ import annotations

from authlib.integrations.django_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .models import OAuth2Client, OAuth2Token

COPY = """
INSERT INTO authlib_site_oauth2token (user_id, client_id, token_type, access_token, refresh_token, scope, revoked,
  issued_at, expires_in)
SELECT COALESCE(user_id, 1), application_id::text, 'Bearer', token_checksum, '', scope, false, created, 36000
FROM oauth2_provider_accesstoken
"""
server = AuthorizationServer(OAuth2Client, OAuth2Token)
server.register_grant(grants.ClientCredentialsGrant)


@csrf_exempt
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    return server.create_token_response(request)


def make_tables() -> None:
    """Make the tables, and fill the one of tokens as the provider's is filled."""
    with connection.schema_editor() as editor:
        for model in (OAuth2Client, OAuth2Token):
            editor.create_model(model)
    with connection.cursor() as cursor:
        cursor.execute(COPY)
        cursor.execute("VACUUM ANALYZE authlib_site_oauth2token")
