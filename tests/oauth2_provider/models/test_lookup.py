"""What is found by a compiled statement is what the ORM finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from oauth2_provider.models import (
    AccessToken,
    Application,
    IDToken,
    PushedAuthorizationRequest,
    RefreshToken,
    token_checksum,
)
from oauth2_provider.models.lookup import change, find
from tests.databases import EngineDatabase
from tests.engines import on_every_engine
from tests.oauth2_provider.credentials import give_credentials, make_client, make_user


@contextmanager
def statements(number: int) -> Iterator[None]:
    with CaptureQueriesContext(connection) as captured:
        yield
    assert len(captured) == number


def everything(row: models.Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@on_every_engine
def test_a_row_comes_whole_with_what_it_is_related_to(engine: EngineDatabase) -> None:
    user, application = make_user("ann"), make_client("client")
    stored = give_credentials(user, application)["access_token"]
    AccessToken.objects.filter(pk=stored.pk).update(resource=["https://api.example/"])
    expected = AccessToken.objects.select_related("application", "user").get(pk=stored.pk)

    for _ in range(2):  # compiled, then kept
        with statements(1):
            found = find(
                AccessToken._base_manager,
                related=("application", "user"),
                token_checksum=stored.token_checksum,
            )
            related = (found.application, found.user)
        assert type(found) is AccessToken
        assert everything(found) == everything(expected)
        assert everything(related[0]) == everything(expected.application)
        assert everything(related[1]) == everything(expected.user)
    found.save()  # an instance like any other: it knows that it is stored, and where
    assert AccessToken.objects.count() == 2


@on_every_engine
def test_what_is_not_there_is_none(engine: EngineDatabase) -> None:
    assert find(Application._default_manager, client_id="nobody") is None
    make_client("somebody")
    assert find(Application._default_manager, client_id="nobody") is None
    assert find(Application._default_manager, client_id="somebody").client_id == "somebody"


@on_every_engine
def test_a_key_is_looked_up_whatever_its_kind(engine: EngineDatabase) -> None:
    application = make_client("client")
    pushed = PushedAuthorizationRequest.objects.create(
        request_uri="urn:one", client_id="client", expires="2100-01-01T00:00Z"
    )
    id_token = IDToken.objects.create(expires="2100-01-01T00:00Z", application=application)
    for _ in range(2):
        assert find(Application._default_manager, pk=application.pk) == application
        assert find(IDToken._base_manager, jti=id_token.jti) == id_token
        assert find(PushedAuthorizationRequest._base_manager, pk=pushed.pk) == pushed
        assert find(IDToken._base_manager, jti=uuid4()) is None


@on_every_engine
def test_a_relation_without_a_row_is_none(engine: EngineDatabase) -> None:
    application = make_client("client")
    AccessToken.objects.create(token="own", expires="2100-01-01T00:00Z", application=application)
    checksum = token_checksum("own")
    found = find(AccessToken._base_manager, related=("application", "user"), token_checksum=checksum)
    with statements(0):
        assert found.user is None
    found = find(AccessToken._base_manager, related=("refresh_token",), token_checksum=checksum)
    with statements(0), pytest.raises(RefreshToken.DoesNotExist):
        _ = found.refresh_token


@on_every_engine
def test_a_kept_statement_outlives_a_lost_connection(engine: EngineDatabase) -> None:
    make_client("client")
    assert find(Application._default_manager, client_id="client") is not None
    connection.close()
    assert find(Application._default_manager, client_id="client") is not None


@on_every_engine
def test_a_change_returns_the_row_as_it_is_then(engine: EngineDatabase) -> None:
    application = make_client("client")
    token, other = (
        AccessToken.objects.create(
            token=name, expires="2100-01-01T00:00Z", application=application, scope="a"
        )
        for name in ("one", "two")
    )
    before = everything(AccessToken.objects.get(pk=other.pk))
    for year in (2101, 2102):  # compiled, then kept
        values = {"resource": [f"https://{year}.example/"], "expires": datetime(year, 1, 1, tzinfo=UTC)}
        with statements(1 if connection.vendor != "mysql" else 2):
            changed = change(
                AccessToken._base_manager,
                token.pk,
                values,
                scope__in=("a", "b"),
                application_id=application.pk,
            )
        assert (changed.resource, changed.expires) == tuple(values.values())
        assert everything(changed) == everything(AccessToken.objects.get(pk=token.pk))
    assert everything(AccessToken.objects.get(pk=other.pk)) == before


@on_every_engine
def test_a_row_that_does_not_meet_the_conditions_is_not_changed(engine: EngineDatabase) -> None:
    application = make_client("client", name="before")
    others = ("another", "yet another")
    for conditions in ({"client_id": "another"}, {"client_id__in": others}, {"client_id__in": others[:1]}):
        assert change(Application.objects, application.pk, {"name": "after"}, **conditions) is None
    assert change(Application.objects, application.pk + 1, {"name": "after"}) is None
    assert Application.objects.get().name == "before"


@pytest.mark.django_db
def test_a_change_to_nothing_is_refused_by_name() -> None:
    application = make_client("client", user=make_user("ann"))
    with pytest.raises(ValueError, match=r"must not be None or an expression: user_id$"):
        change(Application.objects, application.pk, {"user_id": None})
    assert Application.objects.get().user is not None


class Living(models.Manager):
    """A manager of a site's own that hides some rows."""

    def get_queryset(self) -> Any:
        return super().get_queryset().exclude(name="hidden")


@pytest.mark.django_db
def test_a_manager_that_narrows_its_rows_is_asked_each_time() -> None:
    manager = Living()
    manager.model = Application
    application = make_client("client")
    assert find(manager, client_id="client") == application
    assert change(manager, application.pk, {"name": "seen"}).name == "seen"
    Application.objects.update(name="hidden")
    assert find(manager, client_id="client") is None
    assert change(manager, application.pk, {"name": "seen"}) is None
