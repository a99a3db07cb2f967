"""Revoke tokens, from users and from applications: a link on one's page, an action on several in the list."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from ..audit import origin_of
from ..operations import Operation
from ..permissions import may_run
from .base import find_operation, refuse
from .confirmation import show_preview
from .extend import Tools

OPERATION = "revoke_user_tokens"
MOST_USERS = 1000
"""Chosen in the list: more are better named by their application, or as everybody."""
MOST_APPLICATIONS = 20
"""Each is a run of its own."""


class RevokesTokens(Tools):
    """What the admin of users and that of applications have in common. `argument` names the key of one of them."""

    argument = ""
    most = 0

    def maintenance_works(self, keys: list[Any]) -> list[dict[str, Any]]:
        """Return the arguments of the runs that revoke what those with `keys` were given."""
        raise NotImplementedError

    def maintenance_tools(self, request: HttpRequest, obj: Any) -> list[tuple[str, Any]]:
        tools = super().maintenance_tools(request, obj)
        if _may_revoke(request) is None:
            return tools
        query = urlencode({"preview": "", self.argument: obj.pk})
        return [
            *tools,
            (f"{reverse('admin:maintenance_run_now', args=[OPERATION])}?{query}", _("Revoke tokens")),
        ]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions: dict[str, Any] = super().get_actions(request)
        if _may_revoke(request) is not None and "revoke_tokens" not in actions:
            actions["revoke_tokens"] = (_revoke_tokens, "revoke_tokens", str(_("Revoke tokens")))
        return actions


class UsersWithTokens(RevokesTokens):
    """Mixed into the site's admin of users."""

    argument = "user_id"
    most = MOST_USERS

    def maintenance_works(self, keys: list[Any]) -> list[dict[str, Any]]:
        return [{"user_id": keys[0]} if len(keys) == 1 else {"user_ids": keys}]


class ApplicationsWithTokens(RevokesTokens):
    """Mixed into the site's admin of applications."""

    argument = "application_id"
    most = MOST_APPLICATIONS

    def maintenance_works(self, keys: list[Any]) -> list[dict[str, Any]]:
        return [{"application_id": key} for key in keys]


def _revoke_tokens(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
    """Show what would be revoked of those chosen; confirmed there, it runs."""
    operation = _may_revoke(request)
    if operation is None:
        refuse(request, "run", operation=OPERATION)
    chosen = list(queryset.order_by("pk")[: model_admin.most + 1])
    if len(chosen) > model_admin.most:
        text = _(
            "Choose at most %(most)s at a time, or have Run now revoke what an application, or everybody, holds."
        )
        messages.error(request, text % {"most": model_admin.most})
        return None
    works = [operation.clean(work) for work in model_admin.maintenance_works([row.pk for row in chosen])]
    with origin_of(request):
        return show_preview(request, model_admin.admin_site, operation, works)


def _may_revoke(request: HttpRequest) -> Operation | None:
    """Return the operation where the user of `request` may have it run."""
    operation = find_operation(OPERATION)
    return operation if operation is not None and may_run(request.user, operation) else None
