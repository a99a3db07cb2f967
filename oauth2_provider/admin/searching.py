"""Search by what indexes find: the credential itself, a client, a user.

A condition on a joined table, or one on a part of a text, would have the database read every row of the credentials; so
clients and users are looked up first, and the credentials by their foreign keys.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import get_application_model, token_checksum

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as _Base
else:
    _Base = object

has_email = hasattr(get_user_model(), "email")
USER_SEARCH_FIELDS = (f"user__{get_user_model().USERNAME_FIELD}", *(("user__email",) if has_email else ()))
"""Where to look for a user, as lookups of a model with a foreign key `user`."""
FOUND_AT_MOST = 200
"""Clients, and users, whose credentials one search shows."""
CHECKSUM = re.compile(r"[0-9a-fA-F]{64}")


class CredentialSearch(_Base):
    """Searches as above, mixed in before a ModelAdmin. A site's own `search_fields` are searched as Django does."""

    search_fields = ("application__client_id", "application__name", *USER_SEARCH_FIELDS)
    search_help_text = gettext_lazy(
        "A client ID, a part of an application's name or of a user's, or the SHA-256 of a token. The token itself is "
        "found, too, but would stay in the server's log."
    )
    stock_search_fields = search_fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if tuple(self.get_search_fields(request)) != self.stock_search_fields:
            return super().get_search_results(request, queryset, search_term)
        term = search_term.strip()
        if not term:
            return queryset, False
        exact = queryset.filter(self.exactly(term))
        return (exact if exact.exists() else queryset.filter(self.owned(request, term))), False

    def exactly(self, term: str) -> Q:
        """Return the condition that a row's credential, or an identifier of it, is `term`; by a unique index."""
        raise NotImplementedError

    def owned(self, request: HttpRequest, term: str) -> Q:
        """Return the condition that a row belongs to a client or a user that `term` names."""
        return by_owner(request, {"application__in": find_clients(term), "user__in": find_users(term)})


def by_checksum(term: str) -> Q:
    """Match a token, or its checksum."""
    checksums = [token_checksum(term), *([term.lower()] if CHECKSUM.fullmatch(term) else [])]
    return Q(token_checksum__in=checksums)


def by_uuid(name: str, term: str) -> Q:
    """Match the UUID column `name`; nothing where `term` is none."""
    try:
        return Q(**{name: UUID(term)})
    except ValueError:
        return Q(pk__in=[])


def by_owner(request: HttpRequest, owners: dict[str, list[Any]]) -> Q:
    """Match any of `owners`, lookup -> keys; the user is told where there are more than FOUND_AT_MOST."""
    if any(len(found) > FOUND_AT_MOST for found in owners.values()):
        messages.warning(request, _("More than %d clients or users fit; these are not all.") % FOUND_AT_MOST)
    condition = Q(pk__in=[])
    for lookup, found in owners.items():
        condition |= Q(**{lookup: found[:FOUND_AT_MOST]})
    return condition


def find_clients(term: str) -> list[Any]:
    """Return the primary keys of the application with the client ID `term`, else of those with it in their name."""
    applications = get_application_model()._base_manager.order_by().values_list("pk", flat=True)
    exact = list(applications.filter(client_id=term))
    return exact or list(applications.filter(name__icontains=term)[: FOUND_AT_MOST + 1])


def find_users(term: str) -> list[Any]:
    """Return the primary keys of the user named `term`, else of those with it in USER_SEARCH_FIELDS."""
    names = [field.removeprefix("user__") for field in USER_SEARCH_FIELDS]
    users = get_user_model()._base_manager.order_by().values_list("pk", flat=True)
    exact = list(users.filter(**{names[0]: term}))
    part = Q()
    for name in names:
        part |= Q(**{f"{name}__icontains": term})
    return exact or list(users.filter(part)[: FOUND_AT_MOST + 1])
