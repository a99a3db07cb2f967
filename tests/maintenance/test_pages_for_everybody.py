"""Every operators' page, wide and on a phone, light and dark: for every eye, and never wider than it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import URLPattern, reverse
from django_celery_beat.models import PeriodicTask
from playwright.sync_api import Page

from maintenance import audit, runs
from maintenance.models import ArchivedApplication, AuditAction, ProtectedApplication
from oauth2_provider.flows.application_archive import archived
from tests.browser import change_look, faults_of_accessibility, log_in, width_beyond
from tests.oauth2_provider.credentials import make_client

pytestmark = pytest.mark.browser

LOOKS: dict[str, dict[str, bool]] = {
    "light": {},
    "dark": {"dark": True},
    "narrow": {"narrow": True},
    "narrow-dark": {"narrow": True, "dark": True},
}
EXPECTED = {
    "django_celery_beat_periodictask_changelist",
    "django_celery_beat_periodictask_change",
    "maintenance_dashboard_changelist",
    "maintenance_run_change",
}
"""Some of what the walk must come by."""
APPS = ("maintenance",)


@pytest.fixture
def site_in_use(transactional_db: None) -> Any:
    """A row of everything that has a page; returns the operator."""
    operator = get_user_model().objects.create_superuser("operator")
    make_client("photo-printer", name="Photo Printer with a name that is long enough for two lines")
    run = runs.enqueue("clear_expired")
    gone = make_client("gone", name="Gone")
    [document] = archived([gone])
    ArchivedApplication.objects.create(run=run, client_id="gone", name="Gone", document=document)
    gone.delete()
    ProtectedApplication.objects.create(client_id="photo-printer", actor="maria", reason="A partner's report")
    audit.record(AuditAction.APPLICATION_PROTECTED, actor="maria", target="photo-printer")
    return operator


def pages() -> dict[str, str]:
    """Return the list, the form and what else our models have in the admin, by name; found by walking its URLs."""
    found: dict[str, str] = {}
    for model, model_admin in site._registry.items():
        if model._meta.app_label not in APPS and model is not PeriodicTask:
            continue
        row = model._meta.default_manager.first()
        for pattern in model_admin.get_urls():
            if not isinstance(pattern, URLPattern) or pattern.name is None:
                continue
            names = set(pattern.pattern.converters)
            if names - {"object_id", "pk"} or (names and row is None):
                continue
            found[pattern.name] = reverse(
                f"admin:{pattern.name}", kwargs=dict.fromkeys(names, row and row.pk)
            )
    return found


def is_page(client: Client, path: str) -> bool:
    """Tell whether a path answers with a page: not with a part of one, a file or a refusal."""
    answer = client.get(path)
    return answer.status_code == 200 and not answer.streaming and b"<html" in answer.content


def test_every_page_is_for_everybody(site_in_use: Any, page: Page, client: Client) -> None:
    log_in(page, site_in_use)
    client.force_login(site_in_use)
    shown = {name: path for name, path in pages().items() if is_page(client, path)}
    assert shown.keys() >= EXPECTED
    faults: list[str] = []
    for name, path in shown.items():
        page.goto(path)
        faults += [f"{name}, {fault}" for fault in faults_in_each_look(page)]
    assert faults == [], "\n".join(faults)


def faults_in_each_look(page: Page) -> list[str]:
    """Return what is wrong with the page that is open."""
    faults: list[str] = []
    for look, changes in LOOKS.items():
        change_look(page, **changes)
        if not changes.get("narrow"):
            page.set_viewport_size({"width": 1280, "height": 800})
        faults += [f"{look}: {fault}" for fault in [*faults_of_accessibility(page), *width_beyond(page)]]
    return faults


def test_a_look_at_a_part_of_the_audit_trail_is_for_everybody(
    site_in_use: Any, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "LOOKED_AT", 10)
    monkeypatch.setattr(audit, "OUT_OF_STEP", 0)
    for _ in range(60):
        audit.record(AuditAction.HELD_ALL)
    log_in(page, site_in_use)
    page.goto(f"{reverse('admin:maintenance_auditevent_changelist')}?search=no+such")
    assert "Look further back" in page.content()
    faults = faults_in_each_look(page)
    assert faults == [], "\n".join(faults)
