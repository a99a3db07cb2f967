"""The dashboard's table of token tables: what it says where there is nothing to count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import Client
from django.utils import timezone

from oauth2_provider.models import RefreshToken


def test_revoked_is_said_where_such_rows_are_kept_and_explained_elsewhere(
    admin_client: Client, admin_user: Any, make_tokens: Callable[..., Any]
) -> None:
    owner, now = make_tokens(live=1), timezone.now()
    for number, revoked in enumerate((now, now, None)):
        RefreshToken.objects.create(token=f"r{number}", application=owner, user=admin_user, revoked=revoked)
    page = admin_client.get("/admin/maintenance/dashboard/")
    revoked = {line.table: line.revoked for line in page.context["tables"] if line.revoked is not None}
    assert revoked == {RefreshToken._meta.db_table: "2"}
    shown = page.content.decode()
    assert shown.count("none kept") == len(page.context["tables"]) - 1
    assert "revoking deletes the row" in shown
