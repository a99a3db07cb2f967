"""Schedules and the audit trail in a real browser that runs no scripts."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from playwright.sync_api import Page, expect

from maintenance import audit
from maintenance.models import AuditAction, AuditEvent
from maintenance.schedules import install
from tests.browser import OpenPage, log_in

pytestmark = pytest.mark.browser

AUDIT = "/admin/maintenance/auditevent/"
SCHEDULES = "/admin/django_celery_beat/periodictask/"
CLEAN_UP = "maintenance: clean up inactive applications"
TASK = "maintenance.tasks.cleanup_inactive_applications"


@pytest.fixture
def page(transactional_db: None, open_page: OpenPage) -> Page:
    """A page of an operator, with scripts off."""
    page = open_page(javascript=False)
    log_in(page, get_user_model().objects.create_superuser("operator"))
    return page


@pytest.fixture
def schedules(transactional_db: None) -> None:
    """The default ones, as the migration installs them: the test before emptied the table."""
    PeriodicTask.objects.all().delete()
    install(apps, "default")


def fill_arguments(page: Page, text: str) -> None:
    arguments = page.locator("#id_kwargs")
    if not arguments.is_visible():
        page.locator("details:has(#id_kwargs) > summary").click()
    arguments.fill(text)


@pytest.mark.usefixtures("schedules")
def test_a_schedule_is_listed_added_and_its_bad_arguments_refused(page: Page) -> None:
    page.goto(SCHEDULES)
    expect(page.get_by_role("row").filter(has_text=CLEAN_UP)).to_contain_text("at 03:30, only on Sunday, UTC")
    page.locator(".object-tools").get_by_role("link", name="Add periodic task").click()
    page.locator("#id_name").fill("clean up at the end of a quarter")
    page.locator("#id_regtask").select_option(TASK)
    crontab = CrontabSchedule.objects.get(periodictask__name=CLEAN_UP)
    page.locator("#id_crontab").select_option(str(crontab.pk))
    fill_arguments(page, '{"days": "soon"}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("days: Enter a whole number.")).to_be_visible()
    assert not PeriodicTask.objects.filter(name="clean up at the end of a quarter").exists()
    fill_arguments(page, '{"days": 90}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    added = PeriodicTask.objects.get(name="clean up at the end of a quarter")
    assert (added.task, added.kwargs, added.crontab) == (TASK, '{"days": 90}', crontab)
    expect(page.get_by_role("row").filter(has_text=added.name)).to_contain_text("only on Sunday")


def test_the_audit_trail_is_filtered_and_exported(page: Page) -> None:
    audit.record(AuditAction.APPLICATION_PROTECTED, actor="maria", target="photo-printer")
    audit.record(AuditAction.APPLICATION_PROTECTED, actor="joe", target="desk-assistant")
    audit.record(AuditAction.HELD_ALL, actor="maria")
    page.goto(AUDIT)
    expect(page.locator(".m-audit tbody tr")).to_have_count(3)
    page.get_by_label("Who", exact=True).fill("maria")
    page.get_by_label("What", exact=True).select_option("application_protected")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".m-audit tbody tr")).to_have_count(1)
    expect(page.locator(".m-audit tbody tr")).to_contain_text("photo-printer")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as CSV").click()
    [line] = csv.DictReader(Path(download.value.path()).read_text().splitlines())
    assert (line["actor"], line["target"]) == ("maria", "photo-printer")
    exported: Any = AuditEvent.objects.get(action=AuditAction.EXPORTED)
    assert exported.actor == "operator"
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.locator(".m-audit tbody tr")).to_have_count(4)
