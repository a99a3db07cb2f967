"""The paginator of the admin's lists where there is little to page: no estimates."""

from __future__ import annotations

import pytest
from django.db import connection

from oauth2_provider.admin import paging
from oauth2_provider.admin.paging import EstimatingPaginator
from oauth2_provider.models import Application
from tests.databases import EngineDatabase
from tests.engines import on_every_engine
from tests.oauth2_provider.credentials import make_client


@on_every_engine
def test_few_rows_are_counted_exactly(engine: EngineDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    assert EstimatingPaginator(Application.objects.order_by("pk"), 10).count == 0
    for number in range(25):
        make_client(f"client {number:02}", name="even" if number % 2 == 0 else "odd")
    if engine.engine == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE oauth2_provider_application")
    everything = EstimatingPaginator(Application.objects.order_by("pk"), 10)
    assert (everything.count, everything.num_pages) == (25, 3)
    odd = EstimatingPaginator(Application.objects.filter(name="odd").order_by("pk"), 10)
    assert (odd.count, odd.num_pages) == (12, 2)
    assert [row.client_id for row in odd.page(2)] == ["client 21", "client 23"]
    for nothing in (Application.objects.none(), Application.objects.filter(pk__in=[])):
        assert EstimatingPaginator(nothing.order_by("pk"), 10).count == 0
    monkeypatch.setattr(paging, "EXACT_UP_TO", 10)
    assert EstimatingPaginator(Application.objects.filter(name="odd").order_by("pk"), 5).num_pages == 2
