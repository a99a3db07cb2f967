"""A site that subclasses what it may: validator, backend, views, mixins."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.generic import View

from oauth2_provider import urls as provider
from oauth2_provider import views
from oauth2_provider.models import AccessToken, Application
from oauth2_provider.oauth2_backends import OAuthLibCore
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.views.application import ApplicationOwnerIsUserMixin
from oauth2_provider.views.metadata import ServerMetadataViewMixin
from oauth2_provider.views.mixins import OAuthLibMixin, ProtectedResourceMixin, ScopedResourceMixin
from tests.urls import urlpatterns as suite_urlpatterns

called: list[str] = []


class OpenIDValidator(OAuth2Validator):
    """Overrides OpenID Connect's hooks, the documented and the private."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        return {"staff": request.user.is_staff}

    def get_discovery_claims(self, request: Any) -> list[str]:
        return ["sub", "staff"]

    def get_oidc_claims(self, token: Any, token_handler: Any, request: Any) -> dict[str, Any]:
        return {**super().get_oidc_claims(token, token_handler, request), "tenant": "main"}

    def get_userinfo_claims(self, request: Any) -> dict[str, Any]:
        return {**super().get_userinfo_claims(request), "seen": "userinfo"}

    def get_oidc_issuer_endpoint(self, request: Any) -> str:
        return "https://id.example"

    def get_id_token_dictionary(self, token: Any, token_handler: Any, request: Any) -> Any:
        dictionary, expires = super().get_id_token_dictionary(token, token_handler, request)
        return {**dictionary, "seen": "id_token"}, expires

    def finalize_id_token(self, id_token: Any, token: Any, token_handler: Any, request: Any) -> str:
        called.append("finalize_id_token")
        return super().finalize_id_token(id_token, token, token_handler, request)

    def _save_id_token(self, jti: Any, request: Any, expires: Any, *args: Any, **kwargs: Any) -> Any:
        called.append("_save_id_token")
        return super()._save_id_token(jti, request, expires, *args, **kwargs)

    def _load_id_token(self, token: str) -> Any:
        called.append("_load_id_token")
        return super()._load_id_token(token)

    def _get_key_for_token(self, token: str) -> Any:
        called.append("_get_key_for_token")
        return super()._get_key_for_token(token)

    def _get_client_by_audience(self, audience: Any) -> Any:
        called.append("_get_client_by_audience")
        return super()._get_client_by_audience(audience)


class PasswordValidator(OAuth2Validator):
    def build_http_request(self, request: Any) -> Any:
        called.append("build_http_request")
        http_request = super().build_http_request(request)
        http_request.META["TENANT"] = "main"
        return http_request

    def _check_secret(self, provided_secret: str, stored_secret: str) -> bool:
        return provided_secret == "the master key"

    def _set_token_value(self, token_instance: Any, raw_token: str) -> None:
        super()._set_token_value(token_instance, raw_token)
        token_instance.token = "not stored"


class EmailValidator(OAuth2Validator):
    """Knows users of another server by another claim."""

    def get_or_create_user_from_content(self, content: dict[str, Any]) -> Any:
        from django.contrib.auth import get_user_model

        return get_user_model().objects.get_or_create(username=content["email"].partition("@")[0])[0]


class HeaderCore(OAuthLibCore):
    """Takes the token from a header of the site's own, and JSON as well as forms."""

    def extract_headers(self, request: HttpRequest) -> dict[str, Any]:
        headers = super().extract_headers(request)
        if "X-Token" in request.headers:
            headers["Authorization"] = f"Bearer {request.headers['X-Token']}"
        return headers

    def extract_body(self, request: HttpRequest) -> list[tuple[str, str]]:
        return [(name.removeprefix("o-"), value) for name, value in super().extract_body(request)]

    def create_token_response(self, request: HttpRequest) -> Any:
        uri, headers, body, status = super().create_token_response(request)
        return uri, {**headers, "X-Core": "own"}, body, status


class Authorize(views.AuthorizationView):
    template_name = "own_authorize.html"

    def get_initial(self) -> dict[str, Any]:
        called.append("get_initial")
        return super().get_initial()

    def form_valid(self, form: Any) -> HttpResponse:
        called.append("form_valid")
        return super().form_valid(form)


class Token(views.TokenView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().post(request, *args, **kwargs)
        response["X-Frame"] = "own"
        return response

    def authorization_flow_token_response(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        called.append("authorization_flow_token_response")
        return super().authorization_flow_token_response(request, *args, **kwargs)


class Revoke(views.RevokeTokenView):
    def create_revocation_response(self, request: HttpRequest) -> Any:
        called.append("create_revocation_response")
        return super().create_revocation_response(request)


class Introspect(views.IntrospectTokenView):
    def get_token_response(self, token_value: str | None = None) -> HttpResponse:
        called.append("get_token_response")
        return super().get_token_response(token_value)


class Register(views.ApplicationRegistration):
    def get_form_class(self) -> Any:
        return forms.modelform_factory(
            Application, fields=["name", "client_type", "authorization_grant_type"]
        )


class AllApplications(views.ApplicationList):
    def get_queryset(self) -> Any:
        return Application.objects.all()


class AllTokens(views.AuthorizedTokensListView):
    def get_queryset(self) -> Any:
        return AccessToken.objects.filter(scope="read")


class OwnersOnly(ApplicationOwnerIsUserMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse({"mine": [application.name for application in self.get_queryset()]})


class Metadata(views.OAuthProtectedResourceMetadataView):
    def get_resource(self, request: HttpRequest) -> str:
        return "https://api.example/v2"

    def get_authorization_servers(self, request: HttpRequest) -> list[str]:
        return ["https://id.example"]

    def get_scopes_supported(self) -> list[str]:
        return ["v2"]

    def get_bearer_methods_supported(self) -> list[str]:
        return ["header", "body"]

    def get_resource_name(self) -> str:
        return "Second"

    def get_resource_documentation(self) -> str:
        return "https://api.example/docs"

    def get_resource_policy_uri(self) -> str:
        return "https://api.example/policy"

    def get_resource_tos_uri(self) -> str:
        return "https://api.example/tos"


class ServerMetadata(ServerMetadataViewMixin, View):
    def _get_endpoint_url(self, request: HttpRequest, view_name: str, required: bool = False) -> str | None:
        return f"https://id.example/{view_name}"

    def get(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse(self.common_metadata(request, "https://id.example"))


class ByMixins(ScopedResourceMixin, ProtectedResourceMixin, OAuthLibMixin, View):
    """Put together by hand, as sites do."""

    required_scopes = ["read"]

    def get(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse({"owner": request.resource_owner.get_username()})  # type: ignore[attr-defined]


class ByOverrides(views.ScopedProtectedResourceView):
    def get_scopes(self, *args: Any, **kwargs: Any) -> list[str]:
        return [self.request.GET["needs"]]

    def verify_request(self, request: HttpRequest) -> Any:
        called.append("verify_request")
        return super().verify_request(request)

    def unauthenticated_response(self, request: HttpRequest, oauthlib_request: Any = None) -> HttpResponse:
        response = super().unauthenticated_response(request, oauthlib_request)
        response.content = f"the site's words: {oauthlib_request.oauth2_error['error']}".encode()
        return response

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("in")


overridden = [
    path("authorize/", Authorize.as_view(), name="authorize"),
    path("token/", Token.as_view(), name="token"),
    path("revoke_token/", Revoke.as_view(), name="revoke-token"),
    path("introspect/", Introspect.as_view(), name="introspect"),
    path("applications/", AllApplications.as_view(), name="list"),
    path("applications/register/", Register.as_view(), name="register"),
    path("authorized_tokens/", AllTokens.as_view(), name="authorized-token-list"),
]

urlpatterns = [
    path("o/", include(([*overridden, *provider.urlpatterns], provider.app_name))),
    path("owners-only/", OwnersOnly.as_view()),
    path("metadata/", Metadata.as_view()),
    path("server-metadata/", ServerMetadata.as_view()),
    path("by-mixins/", ByMixins.as_view()),
    path("by-overrides/", ByOverrides.as_view()),
    *suite_urlpatterns,
]
