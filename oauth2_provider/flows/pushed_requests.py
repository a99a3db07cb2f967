"""Pushed authorization requests: who must push, and a request that is taken up once (RFC 9126)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from ..models import get_par_request_model
from ..settings import oauth2_settings


def must_push(application: Any) -> bool:
    """Tell whether `application` may only send requests that it pushed (sections 5 and 6): itself, else the site."""
    own = application.require_pushed_authorization_requests
    if own is not None:
        return bool(own) and bool(oauth2_settings.PAR_ENABLED)
    return bool(oauth2_settings.PAR_ENABLED and oauth2_settings.REQUIRE_PUSHED_AUTHORIZATION_REQUESTS)


def take_up(request_uri: str, client_id: str) -> dict[str, Any] | None:
    """Return the parameters of a pushed request, which is gone then (section 7.3).

    None where it is unknown, too old, taken up before, or another client's (section 4). One DELETE decides between
    user agents that race.
    """
    rows = get_par_request_model()._base_manager
    pushed = rows.filter(request_uri=request_uri).first()
    if pushed is None or (pushed.request_uri, pushed.client_id) != (request_uri, client_id):
        return None
    if pushed.is_expired():
        return None
    deleted, _by_model = rows.filter(pk=pushed.pk).delete()
    return dict(pushed.parameters) if deleted else None


def as_query(client_id: str, parameters: Mapping[str, Any]) -> QueryDict:
    """Return the query of the authorization request that a client would have sent."""
    query = QueryDict(mutable=True)
    for name, value in {**parameters, "client_id": client_id}.items():
        query.setlist(name, value if isinstance(value, list) else [value])
    query._mutable = False
    return query
