"""Codes, tokens and requests in the Django admin: to look at and to end, never to make, and never in the clear."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..flows.bulk_revocation import revoke_selected_access_tokens, revoke_selected_refresh_tokens
from ..models import get_access_token_model, get_refresh_token_model
from .filters import ExpiryFilter, RevokedFilter
from .labels import Labelled
from .masking import mask_credential
from .paging import EstimatingPaginator
from .searching import (
    USER_SEARCH_FIELDS,
    CredentialSearch,
    by_checksum,
    by_owner,
    by_uuid,
    find_users,
)


class CredentialAdmin(Labelled, CredentialSearch, admin.ModelAdmin):
    """What all of them share. `shown` are columns that nobody edits, `secret` those that nobody sees."""

    paginator = EstimatingPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_select_related: ClassVar[Any] = ("user", "application")
    raw_id_fields: ClassVar[Any] = ("user", "application")
    ordering = ("-pk",)
    masked: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*(super().get_exclude(request, obj) or ()), *self.secret]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*self.masked, *self.shown, *super().get_readonly_fields(request, obj)]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        return fields if self.fields else sorted(fields, key=lambda name: name not in self.masked)

    def is_own_page(self, request: HttpRequest) -> bool:
        """Tell whether the request is for a page of this class, and not for one that lists its rows among others."""
        match = request.resolver_match
        own = f"{self.opts.app_label}_{self.opts.model_name}_"
        return match is not None and (match.url_name or "").startswith(own)


class TokenAdmin(CredentialAdmin):
    """Access and refresh tokens: revoked, not deleted, as what hangs on them has to end as well."""

    actions = ("revoke_tokens",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse to delete a token on pages of its own. It goes along with its user and its application."""
        return not self.is_own_page(request) and super().has_delete_permission(request, obj)

    @admin.action(description=_("Revoke the selected tokens"), permissions=["change"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """End the selected tokens, by set, with what came with them (RFC 7009 section 2.1)."""
        counts = self.revoke(queryset)
        access_tokens = counts[get_access_token_model()._meta.db_table]
        refresh_tokens = counts[get_refresh_token_model()._meta.db_table]
        first = ngettext("%d access token", "%d access tokens", access_tokens) % access_tokens
        second = ngettext("%d refresh token", "%d refresh tokens", refresh_tokens) % refresh_tokens
        self.message_user(
            request,
            _("Revoked: %(first)s, %(second)s.") % {"first": first, "second": second},
            messages.SUCCESS,
        )

    def revoke(self, queryset: QuerySet[Any]) -> Any:
        """Revoke the rows of `queryset`; returns how many went, by table."""
        raise NotImplementedError

    def exactly(self, term: str) -> Q:
        return by_checksum(term)

    @admin.display(description=_("token"))
    def masked_token(self, obj: Any) -> str:
        return mask_credential(obj.token) if obj.token else str(_("not stored"))


class AccessTokenAdmin(TokenAdmin):
    """Access tokens. Scope and end can be changed."""

    list_display = ("pk", "masked_token", "user", "application", "expires")
    list_filter = (ExpiryFilter,)
    raw_id_fields = ("user", "application", "source_refresh_token", "id_token")
    masked = ("masked_token",)
    shown = ("token_checksum", "user", "application", "resource", "source_refresh_token", "id_token")
    secret = ("token",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_readonly_fields(request, obj), "created", "updated"]

    def revoke(self, queryset: QuerySet[Any]) -> Any:
        return revoke_selected_access_tokens(queryset)


class RefreshTokenAdmin(TokenAdmin):
    """Refresh tokens, live and revoked."""

    list_display = ("pk", "masked_token", "user", "application", "created", "revoked")
    list_filter = (RevokedFilter,)
    raw_id_fields = ("user", "application", "access_token")
    masked = ("masked_token",)
    shown = (
        "token_checksum",
        "token_family",
        "user",
        "application",
        "scope",
        "resource",
        "access_token",
        "created",
        "updated",
        "revoked",
    )
    secret = ("token",)

    def exactly(self, term: str) -> Q:
        return super().exactly(term) | by_uuid("token_family", term)

    def revoke(self, queryset: QuerySet[Any]) -> Any:
        return revoke_selected_refresh_tokens(queryset)


class GrantAdmin(CredentialAdmin):
    """Authorization codes."""

    list_display = ("pk", "masked_code", "user", "application", "expires", "redeemed")
    list_filter = (ExpiryFilter,)
    masked = ("masked_code",)
    shown = (
        "user",
        "application",
        "redirect_uri",
        "scope",
        "resource",
        "code_challenge_method",
        "expires",
        "redeemed",
        "token_family",
        "created",
        "updated",
    )
    secret = ("code", "code_challenge", "nonce", "claims")

    def exactly(self, term: str) -> Q:
        return Q(code=term) | by_uuid("token_family", term)

    @admin.display(description=_("code"))
    def masked_code(self, obj: Any) -> str:
        return mask_credential(obj.code)


class IDTokenAdmin(CredentialAdmin):
    """ID tokens: what is kept of them is no secret."""

    list_display = ("pk", "jti", "user", "application", "expires")
    list_filter = (ExpiryFilter,)
    shown = ("jti", "user", "application", "created", "updated")

    def exactly(self, term: str) -> Q:
        return by_uuid("jti", term)


class DeviceGrantAdmin(CredentialAdmin):
    """Device codes and user codes."""

    list_display = ("pk", "masked_device_code", "client_id", "user", "status", "expires")
    list_filter = (ExpiryFilter,)
    list_select_related = ("user",)
    raw_id_fields = ("user",)
    search_fields = ("client_id", *USER_SEARCH_FIELDS)
    stock_search_fields = search_fields
    search_help_text = _("A client ID, a part of a user's name, or a device code.")
    masked = ("masked_device_code", "masked_user_code")
    shown = ("client_id", "user", "scope", "status", "interval", "expires", "last_checked")
    secret = ("device_code", "user_code")

    def exactly(self, term: str) -> Q:
        return Q(device_code=term) | Q(client_id=term)

    def owned(self, request: HttpRequest, term: str) -> Q:
        return by_owner(request, {"user__in": find_users(term)})

    @admin.display(description=_("device code"))
    def masked_device_code(self, grant: Any) -> str:
        return mask_credential(grant.device_code)

    @admin.display(description=_("user code"))
    def masked_user_code(self, grant: Any) -> str:
        return mask_credential(grant.user_code)


class PushedAuthorizationRequestAdmin(CredentialAdmin):
    """Pushed authorization requests. Of the parameters, those that say what is asked for."""

    list_display = ("pk", "masked_request_uri", "client_id", "expires")
    list_filter = (ExpiryFilter,)
    list_select_related = False
    raw_id_fields = ()
    search_fields = ("client_id",)
    stock_search_fields = search_fields
    search_help_text = _("A client ID, or a request URI.")
    masked = ("masked_request_uri", "asked_for")
    shown = ("client_id", "expires", "created")
    secret = ("request_uri", "parameters")
    told = ("response_type", "redirect_uri", "scope", "resource", "prompt")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def exactly(self, term: str) -> Q:
        return Q(request_uri=term) | Q(client_id=term)

    def owned(self, request: HttpRequest, term: str) -> Q:
        return by_owner(request, {})

    @admin.display(description=_("request URI"))
    def masked_request_uri(self, pushed: Any) -> str:
        return mask_credential(pushed.request_uri)

    @admin.display(description=_("asked for"))
    def asked_for(self, pushed: Any) -> str:
        return ", ".join(
            f"{name}={pushed.parameters[name]}" for name in self.told if name in pushed.parameters
        )
