"""A protected resource, to try the provider with."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse

from oauth2_provider.views import ScopedProtectedResourceView


class MeView(ScopedProtectedResourceView):
    """Says whose access token the request carries; needs the scope `read`."""

    required_scopes = ["read"]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        token = request.access_token  # type: ignore[attr-defined]
        return JsonResponse(
            {
                "user": token.user.get_username() if token.user else None,
                "client": token.application.name,
                "scope": token.scope,
            }
        )
