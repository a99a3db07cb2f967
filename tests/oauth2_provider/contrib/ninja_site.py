"""A Ninja site: sync and async operations, several authentications, throttles."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from ninja import NinjaAPI
from ninja.errors import AuthenticationError
from ninja.security import APIKeyQuery

from oauth2_provider.contrib.ninja import (
    HttpOAuth2,
    OAuth2ClientRateThrottle,
    OAuth2UserOrClientRateThrottle,
)
from tests.urls import urlpatterns as suite_urlpatterns

api = NinjaAPI(auth=HttpOAuth2(), urls_namespace="resources")
own_answers = NinjaAPI(auth=HttpOAuth2(scopes=["write"]), urls_namespace="own-answers")


class Key(APIKeyQuery):
    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        return "the key" if key == "good" else None


@own_answers.exception_handler(AuthenticationError)
def answer_in_own_words(request: HttpRequest, exc: Any) -> HttpResponse:
    return own_answers.create_response(request, {"own": exc.status_code}, status=exc.status_code)


def answer(request: HttpRequest) -> dict[str, Any]:
    owner = request.resource_owner  # type: ignore[attr-defined]
    return {"owner": owner.get_username() if owner else None, "scope": request.auth.scope}  # type: ignore[attr-defined]


@api.get("/plain/")
def plain(request: HttpRequest) -> dict[str, Any]:
    return {**answer(request), "user": request.user.get_username()}


@api.get("/async/")
async def async_plain(request: HttpRequest) -> dict[str, Any]:
    return answer(request)


@api.get("/scoped/", auth=HttpOAuth2(scopes=["write"], advertise_metadata=True))
def scoped(request: HttpRequest) -> dict[str, Any]:
    return answer(request)


@api.get(
    "/described/", auth=HttpOAuth2(advertise_metadata=True, resource_metadata_url="https://api.example/m")
)
def described(request: HttpRequest) -> dict[str, Any]:
    return answer(request)


@api.get("/either/", auth=[HttpOAuth2(), Key()])
def either(request: HttpRequest) -> dict[str, Any]:
    return {"auth": str(request.auth)[:7]}  # type: ignore[attr-defined]


@api.get("/key/", auth=Key())
def key(request: HttpRequest) -> dict[str, Any]:
    return {}


@api.get("/client-throttled/", throttle=OAuth2ClientRateThrottle("1/h"))
def client_throttled(request: HttpRequest) -> dict[str, Any]:
    return {}


@api.get("/user-throttled/", auth=[HttpOAuth2(), Key()], throttle=OAuth2UserOrClientRateThrottle("1/h"))
def user_throttled(request: HttpRequest) -> dict[str, Any]:
    return {}


@own_answers.get("/own/")
def own(request: HttpRequest) -> dict[str, Any]:
    return answer(request)


urlpatterns = [*suite_urlpatterns, path("api/", api.urls), path("own-api/", own_answers.urls)]
