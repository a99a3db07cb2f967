"""A REST framework site: one view per permission and throttle."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.authentication import SessionAuthentication, TokenAuthentication
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from oauth2_provider.contrib.rest_framework import (
    IsAuthenticatedOrTokenHasScope,
    OAuth2Authentication,
    OAuth2ClientRateThrottle,
    OAuth2ProtectedResourceAuthentication,
    OAuth2UserOrClientRateThrottle,
    TokenHasReadWriteScope,
    TokenHasResourceScope,
    TokenHasScope,
    TokenMatchesOASRequirements,
)
from tests.urls import urlpatterns as suite_urlpatterns


class Resource(APIView):
    authentication_classes: Any = [OAuth2Authentication]
    permission_classes: Any = [IsAuthenticated]

    def get(self, request: Request) -> Response:
        return Response({"user": request.user and request.user.get_username(), "data": dict(request.data)})

    post = get


class Open(Resource):
    permission_classes = [AllowAny]


class Described(Resource):
    authentication_classes = [OAuth2ProtectedResourceAuthentication]
    permission_classes = [TokenHasScope]
    required_scopes = ["write"]


class Scoped(Resource):
    permission_classes = [TokenHasScope]
    required_scopes = ["write"]


class ReadWrite(Resource):
    permission_classes = [TokenHasReadWriteScope]


class Music(Resource):
    permission_classes = [TokenHasResourceScope]
    required_scopes = ["music"]


class SessionOrToken(Resource):
    authentication_classes = [OAuth2Authentication, SessionAuthentication]
    permission_classes = [IsAuthenticatedOrTokenHasScope]
    required_scopes = ["write"]


class OpenAPI(Resource):
    permission_classes = [TokenMatchesOASRequirements]
    required_alternate_scopes = {"GET": [["read", "music"], ["write"]]}


class Unfinished(Resource):
    permission_classes = [TokenHasScope]


class UnfinishedOpenAPI(Resource):
    permission_classes = [TokenMatchesOASRequirements]


class LetsEverybodyIn(TokenAuthentication):
    def authenticate(self, request: Request) -> Any:
        return None, "a string"


class WithoutOAuth2(Scoped):
    authentication_classes = [LetsEverybodyIn]


class Never(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return False


class Either(Scoped):
    permission_classes = [TokenHasScope | IsAuthenticated]


class Neither(Scoped):
    permission_classes = [TokenHasScope | Never]


class ClientThrottled(Open):
    throttle_classes = [type("Once", (OAuth2ClientRateThrottle,), {"rate": "1/hour"})]


class UserThrottled(Open):
    throttle_classes = [type("Once", (OAuth2UserOrClientRateThrottle,), {"rate": "1/hour"})]


urlpatterns = [
    *suite_urlpatterns,
    path("resource/", Resource.as_view()),
    path("open/", Open.as_view()),
    path("described/", Described.as_view()),
    path("scoped/", Scoped.as_view()),
    path("read-write/", ReadWrite.as_view()),
    path("music/", Music.as_view()),
    path("session-or-token/", SessionOrToken.as_view()),
    path("openapi/", OpenAPI.as_view()),
    path("unfinished/", Unfinished.as_view()),
    path("unfinished-openapi/", UnfinishedOpenAPI.as_view()),
    path("without-oauth2/", WithoutOAuth2.as_view()),
    path("either/", Either.as_view()),
    path("neither/", Neither.as_view()),
    path("client-throttled/", ClientThrottled.as_view()),
    path("user-throttled/", UserThrottled.as_view()),
]
