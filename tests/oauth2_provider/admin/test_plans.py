"""The admin's pages on tables too big to be read: nothing counts them, nothing reads them from end to end."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.paginator import EmptyPage
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from oauth2_provider.admin import paging
from oauth2_provider.admin.paging import EstimatingPaginator
from oauth2_provider.models import (
    AccessToken,
    Application,
    DeviceGrant,
    Grant,
    IDToken,
    PushedAuthorizationRequest,
    RefreshToken,
    token_checksum,
)
from tests.databases import EngineDatabase
from tests.engines import engine_at_hand, on_postgresql
from tests.oauth2_provider.credentials import make_client
from tests.plans import TOKEN_TABLES, fill, scanned, selects

ROWS = 60_000


engine = pytest.fixture(scope="module")(engine_at_hand)


@pytest.fixture(scope="module")
def big(engine: EngineDatabase) -> Client:
    """A log-in to an admin whose tables have ROWS rows each; on PostgreSQL."""
    application = make_client("photo-printer", name="Photo Printer")
    fill(application=application.pk, rows=ROWS)
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("admin"))
    return client


@on_postgresql
def test_no_list_reads_a_table_from_end_to_end(big: Client) -> None:
    assert scanned(["SELECT * FROM oauth2_provider_grant WHERE scope = 'x'"]) == {"oauth2_provider_grant"}
    pages = {
        "accesstoken": [
            "",
            "state=live",
            "state=expired",
            "q=token-77",
            "q=user-1234",
            "q=photo",
            "p=7",
            "q=nobody",
        ],
        "refreshtoken": ["", "state=live", "state=revoked", "q=token-77", "q=user-1234", "q=photo"],
        "grant": ["", "state=live", "state=expired", "q=code-77", "q=user-1234"],
        "idtoken": [
            "",
            "state=live",
            "state=expired",
            "q=user-1234",
            "q=00000000-0000-0000-0000-000000000000",
        ],
    }
    for model, queries in pages.items():
        for query in queries:
            with CaptureQueriesContext(connection) as captured:
                answer = big.get(f"/admin/oauth2_provider/{model}/?{query}")
            assert answer.status_code == 200
            read = [each for each in selects(captured) if f"oauth2_provider_{model}" in each]
            assert read
            assert scanned(read).isdisjoint(TOKEN_TABLES), (model, query)
            counted = [each for each in read if "COUNT(" in each and "LIMIT" not in each]
            assert counted == [], (model, query)


@on_postgresql
def test_no_page_of_one_row_reads_a_table_from_end_to_end(big: Client) -> None:
    now = timezone.now()
    DeviceGrant.objects.create(device_code="device", user_code="code", client_id="photo-printer", expires=now)
    PushedAuthorizationRequest.objects.create(
        request_uri="urn:pushed", client_id="photo-printer", expires=now
    )
    kinds = (Application, AccessToken, RefreshToken, Grant, IDToken, DeviceGrant, PushedAuthorizationRequest)
    for model in kinds:
        row = model.objects.order_by("-pk").first()
        path = reverse(f"admin:oauth2_provider_{model._meta.model_name}_change", args=[row.pk])
        with CaptureQueriesContext(connection) as captured:
            answer = big.get(path)
        assert answer.status_code == 200, path
        assert scanned(selects(captured)).isdisjoint({*TOKEN_TABLES, "auth_user"}), path


@on_postgresql
def test_a_token_is_found_among_many(big: Client) -> None:
    for term in ("token-77", token_checksum("token-77")):
        found = big.get("/admin/oauth2_provider/accesstoken/", {"q": term}).context["cl"].result_list
        assert [token.token for token in found] == ["token-77"]


@on_postgresql
def test_the_number_is_an_estimate_and_the_pages_end(big: Client) -> None:
    paginator = EstimatingPaginator(AccessToken.objects.order_by("-pk"), 50)
    assert ROWS * 0.8 < paginator.count < ROWS * 1.2
    assert paginator.num_pages == paging.EXACT_UP_TO // 50
    assert len(paginator.page(paginator.num_pages).object_list) == 50
    with pytest.raises(EmptyPage):
        paginator.page(paginator.num_pages + 1)
