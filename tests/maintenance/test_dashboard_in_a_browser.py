"""The dashboard in a real browser, under a strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from playwright.sync_api import Page, expect

from maintenance import runs
from maintenance.health import forget_health
from maintenance.models import AuditEvent, MaintenanceSwitch, Run, RunStatus, TableSnapshot, Trigger
from maintenance.runner import Runner, run_here
from oauth2_provider.models import AccessToken, RefreshToken
from tests.browser import OpenPage, axe, fits, log_in, screenshot
from worker.demo import create_demo

from .stepping import Worker

pytestmark = pytest.mark.browser

LOOKS: dict[str, dict[str, bool]] = {"light": {}, "dark": {"dark": True}, "narrow": {"narrow": True}}
every_look = pytest.mark.parametrize("look", LOOKS)
DASHBOARD = "admin:maintenance_dashboard_changelist"


@pytest.fixture(autouse=True)
def strict_site(settings: Any) -> None:
    settings.MIDDLEWARE = ["tests.oauth2_provider.pages_site.strict_policy", *settings.MIDDLEWARE]
    forget_health()


@pytest.fixture
def operator(transactional_db: None) -> Any:
    return get_user_model().objects.create_superuser("operator", password="a password")


def open_dashboard(page: Page, user: Any) -> None:
    log_in(page, user)
    page.goto(reverse(DASHBOARD))


def a_month(operation: str, *, failures: tuple[int, ...] = ()) -> None:
    """Store the runs of a month: one a night, some of which failed."""
    now = timezone.now()
    for nights in range(30, 0, -1):
        began = now - timedelta(days=nights)
        status = RunStatus.FAILED if nights in failures else RunStatus.SUCCEEDED
        run = Run.objects.create(
            operation=operation,
            trigger=Trigger.SCHEDULE,
            status=status,
            started=began,
            finished=began + timedelta(seconds=60 + 37 * (nights % 7)),
            counts={"oauth2_provider_accesstoken": 20_000 + 500 * (nights % 7)},
            progress=1.0 if status == RunStatus.SUCCEEDED else 0.4,
            error_class="OperationalError" if status == RunStatus.FAILED else "",
        )
        Run.objects.filter(pk=run.pk).update(created=began)


def a_month_of_figures() -> None:
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    for table, scale in ((AccessToken._meta.db_table, 1.0), (RefreshToken._meta.db_table, 0.4)):
        TableSnapshot.objects.bulk_create(
            TableSnapshot(
                table=table,
                hour=now - timedelta(days=days),
                taken=now - timedelta(days=days),
                rows=int(700_000 * scale),
                expired=int(21_000 * scale),
                created=int((20_000 + 900 * (days % 7)) * scale),
                removed=int((0 if days in (12, 13) else 23_000 + 700 * (days % 5)) * scale),
            )
            for days in range(30)
        )


def test_an_operator_sees_a_failing_operation_and_goes_to_its_run(page: Page, operator: Any) -> None:
    a_month("clear_expired", failures=(1,))
    failed = Run.objects.get(status=RunStatus.FAILED)
    open_dashboard(page, operator)
    finding = page.locator(".m-findings li", has_text="clear_expired failed (OperationalError)")
    expect(finding).to_be_visible()
    finding.get_by_role("link", name="The run").click()
    expect(page).to_have_url(
        f"{page.url.split('/admin')[0]}{reverse('admin:maintenance_run_change', args=[failed.pk])}"
    )
    expect(page.locator(".m-standing .m-badge")).to_have_text("Failed")


def test_an_operator_holds_all_hygiene_work_with_a_reason_and_releases_it(
    page: Page, operator: Any, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=5)
    run = runs.enqueue("clear_expired")
    open_dashboard(page, operator)
    page.get_by_role("link", name="Hold all").click()
    page.get_by_role("button", name="Hold all hygiene work").click()
    assert MaintenanceSwitch.find_hold() is None  # no reason, no hold
    page.get_by_label("Reason").fill("A release is under way.")
    page.get_by_role("button", name="Hold all hygiene work").click()
    expect(page.locator(".m-switch")).to_contain_text("Hygiene work is held by operator")
    Runner(run.pk, budget_seconds=20).advance()
    running = page.locator(".m-running li")
    expect(running).to_contain_text("A release is under way.")  # the page finds out by itself
    expect(running.locator(".m-badge")).to_have_text("Held")
    page.get_by_role("link", name="Release").click()
    page.get_by_label("Reason").fill("The release is done.")
    page.get_by_role("button", name="Release hygiene work").click()
    expect(page.locator(".m-switch")).to_contain_text("goes on as scheduled")
    assert run_here(run).rows == 5
    held, released = AuditEvent.objects.filter(action__in=("held_all", "released_all")).order_by("pk")
    assert (held.actor, held.source, held.reason) == ("operator", "admin", "A release is under way.")
    assert held.address == "127.0.0.1"
    assert released.reason == "The release is done."


def test_without_javascript_a_viewer_sees_all_and_is_offered_nothing(
    open_page: OpenPage, transactional_db: None
) -> None:
    viewer = get_user_model().objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_run"))
    page = open_page(javascript=False)
    open_dashboard(page, viewer)
    expect(page.locator(".m-operation")).to_have_count(5)
    expect(page.locator(".m-operation", has_text="Clear expired")).to_contain_text("02:15")
    assert page.get_by_role("link", name="History of Clear expired").count() == 1
    for name in ("Run Clear expired", "Preview Clear expired", "Hold all"):
        assert page.get_by_role("link", name=name).count() == 0


def test_the_dashboard_is_reached_from_the_index_and_from_the_list_of_runs(page: Page, operator: Any) -> None:
    log_in(page, operator)
    page.goto("/admin/")
    page.locator("#content").get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Maintenance")
    page.locator("#content").get_by_role("link", name="Runs", exact=True).click()
    page.locator("#content").get_by_role("link", name="Dashboard").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Maintenance")


@every_look
def test_a_dashboard_after_a_month(
    look: str, open_page: OpenPage, operator: Any, start_worker: Callable[..., Worker]
) -> None:
    create_demo(tokens=2000)
    a_month("clear_expired", failures=(1, 9, 17))
    a_month("purge_runs")
    a_month_of_figures()
    PeriodicTask.objects.filter(name="maintenance: clear expired").update(
        last_run_at=timezone.now() - timedelta(hours=2)
    )
    run = runs.request_run("clear_expired", {}, trigger=Trigger.ADMIN, requested_by=operator)
    start_worker(run).windows(3)
    page = open_page(**LOOKS[look])
    open_dashboard(page, operator)
    expect(page.locator(".m-running .m-badge")).to_have_text("Running")
    expect(page.locator(".m-operation", has_text="Clear expired").locator(".m-spark rect")).to_have_count(30)
    expect(page.locator(".m-plot .series-two")).to_have_count(30)
    page.get_by_text("The figures as a table").click()
    expect(page.locator(".m-figures tbody tr")).to_have_count(30)
    page.get_by_text("The figures as a table").click()
    axe(page)
    fits(page)
    page.evaluate("scrollTo(0, 0)")
    screenshot(page, f"dashboard-{look}")


@every_look
def test_the_switch_page(look: str, open_page: OpenPage, operator: Any) -> None:
    page = open_page(**LOOKS[look])
    log_in(page, operator)
    page.goto(reverse("admin:maintenance_switch"))
    axe(page)
    fits(page)
    screenshot(page, f"hold-all-{look}")
