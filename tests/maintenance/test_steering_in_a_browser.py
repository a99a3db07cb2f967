"""What operators steer, in a real browser under a strict policy: run, revoke, restore, protect, schedule."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from playwright.sync_api import Page, expect

from maintenance import audit, runs
from maintenance.models import ArchivedApplication, AuditAction, ProtectedApplication, Run, RunStatus
from maintenance.operations import cleanup_inactive_applications
from maintenance.runner import run_here
from maintenance.schedules import install
from oauth2_provider.models import AccessToken, Application, RefreshToken
from tests.browser import OpenPage, axe, fits, log_in, screenshot
from tests.oauth2_provider.credentials import give_credentials, make_client

pytestmark = pytest.mark.browser

LOOKS: dict[str, dict[str, bool]] = {"light": {}, "dark": {"dark": True}, "narrow": {"narrow": True}}
every_look = pytest.mark.parametrize("look", LOOKS)
with_and_without_scripts = pytest.mark.parametrize("javascript", [True, False])

RUN = "/admin/maintenance/run/"
INACTIVE = f"{RUN}inactive-applications/"
ARCHIVE = "/admin/maintenance/archivedapplication/"
AUDIT = "/admin/maintenance/auditevent/"
SCHEDULES = "/admin/django_celery_beat/periodictask/"


@pytest.fixture
def strict_site(settings: Any) -> None:
    settings.MIDDLEWARE = ["tests.oauth2_provider.pages_site.strict_policy", *settings.MIDDLEWARE]


@pytest.fixture
def operator(transactional_db: None) -> Any:
    return get_user_model().objects.create_superuser("operator", password="a password")


@pytest.fixture
def schedules(transactional_db: None) -> None:
    """The default ones, as the migration installs them: the test before emptied the table."""
    PeriodicTask.objects.all().delete()
    install(apps, "default")


@pytest.fixture
def anna(operator: Any) -> Any:
    """A user with credentials of one application."""
    user = get_user_model().objects.create_user("anna")
    give_credentials(user, make_client("photo-printer", name="Photo Printer"))
    return user


@pytest.fixture
def make_inactive(operator: Any) -> Callable[..., Application]:
    def make(name: str, *, days: int = 400, used: int | None = None, **fields: Any) -> Application:
        application = make_client(name.lower().replace(" ", "-"), name=name, **fields)
        now = timezone.now()
        last_used = None if used is None else now - timedelta(days=used)
        rows = Application.objects.filter(pk=application.pk)
        rows.update(created=now - timedelta(days=days), last_used=last_used)
        return application

    return make


@pytest.mark.usefixtures("strict_site")
@with_and_without_scripts
def test_an_operator_previews_confirms_and_follows_a_run(
    open_page: OpenPage, operator: Any, make_tokens: Callable[..., Any], javascript: bool
) -> None:
    make_tokens(expired=120, live=5)
    page = open_page(javascript=javascript)
    log_in(page, operator)
    page.goto(RUN)
    page.get_by_role("link", name="Run now: Clear expired").click()
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Preview: Clear expired")
    table = page.get_by_role("region").filter(has_text="What this run would work on").get_by_role("row")
    expect(table.filter(has_text="Access tokens")).to_contain_text("120")
    page.get_by_label("Reason").fill("The disk is filling up.")
    page.get_by_role("button", name="Confirm and run").click()
    expect(page.get_by_text("The run is enqueued.")).to_be_visible()
    run = Run.objects.get()
    assert page.url.endswith(f"{RUN}{run.pk}/change/")
    run_here(run)
    assert AccessToken.objects.count() == 5


@pytest.mark.usefixtures("strict_site")
def test_numbers_that_changed_meanwhile_stop_the_run_and_keep_the_reason(
    page: Page, operator: Any, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=120)
    log_in(page, operator)
    page.goto(f"{RUN}run/clear_expired/?preview")
    AccessToken.objects.filter(token__startswith="expired 1").delete()
    page.get_by_label("Reason").fill("The disk is filling up.")
    page.get_by_role("button", name="Confirm and run").click()
    expect(page.get_by_text("The numbers have changed since you looked")).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("The disk is filling up.")
    assert not Run.objects.exists()
    page.get_by_role("button", name="Confirm and run").click()
    expect(page.get_by_text("The run is enqueued.")).to_be_visible()


@pytest.mark.usefixtures("strict_site")
def test_a_user_is_picked_from_a_popup_and_revoked(page: Page, operator: Any, anna: Any) -> None:
    log_in(page, operator)
    page.goto(f"{RUN}run/revoke_user_tokens/")
    with page.expect_popup() as opened:
        page.locator("#lookup_id_user_id").click()
    opened.value.get_by_role("link", name="anna").click()
    expect(page.get_by_label("User id", exact=True)).to_have_value(str(anna.pk))
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Preview: Revoke user tokens")


@pytest.mark.usefixtures("strict_site")
@with_and_without_scripts
def test_a_user_is_revoked_from_the_users_page(
    open_page: OpenPage, operator: Any, anna: Any, javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    log_in(page, operator)
    page.goto(f"/admin/auth/user/{anna.pk}/change/")
    page.get_by_role("link", name="Revoke tokens").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Preview: Revoke user tokens")
    page.get_by_label("Reason").fill("A stolen laptop.")
    page.get_by_role("button", name="Confirm and run").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Revoke user tokens")
    run = run_here(Run.objects.get())
    assert run.status == RunStatus.SUCCEEDED
    page.reload()
    expect(page.get_by_text("A stolen laptop.").first).to_be_visible()
    assert not AccessToken.objects.filter(user=anna).exists()
    assert not RefreshToken.objects.filter(user=anna, revoked=None).exists()


@pytest.mark.usefixtures("strict_site")
@with_and_without_scripts
def test_everybody_is_typed_and_not_only_clicked(
    open_page: OpenPage, operator: Any, anna: Any, javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    log_in(page, operator)
    page.goto(f"{RUN}run/revoke_user_tokens/")
    page.get_by_label("Everybody").check()
    page.get_by_role("button", name="Preview").click()
    page.get_by_label("Reason").fill("A breach.")
    word = page.get_by_label("Are you sure?")
    expect(word).to_have_accessible_description('Type "everybody" to confirm.')
    word.fill("yes")
    page.get_by_role("button", name="Confirm and run").click()
    expect(page.get_by_label("Are you sure?")).to_have_attribute("aria-invalid", "true")
    assert not Run.objects.exists()
    if javascript:
        axe(page)
    page.get_by_label("Are you sure?").fill("everybody")
    page.get_by_role("button", name="Confirm and run").click()
    expect(page.get_by_text("The run is enqueued.")).to_be_visible()
    assert Run.objects.get().arguments == {"everybody": True}


@pytest.mark.usefixtures("strict_site")
def test_several_users_are_revoked_by_an_action_of_the_list(page: Page, operator: Any, anna: Any) -> None:
    log_in(page, operator)
    page.goto("/admin/auth/user/")
    page.get_by_role("row").filter(has_text="anna").get_by_role("checkbox").check()
    page.get_by_role("row").filter(has_text="operator").get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option("Revoke tokens")
    page.get_by_role("button", name="Run").or_(page.get_by_role("button", name="Go")).first.click()
    expect(page.get_by_text("operator, anna")).to_be_visible()
    page.get_by_label("Reason").fill("A breach.")
    page.get_by_role("button", name="Confirm and run").click()
    expect(page.get_by_text("The run is enqueued.")).to_be_visible()
    assert Run.objects.get().arguments == {"user_ids": sorted([anna.pk, operator.pk])}


@pytest.mark.usefixtures("strict_site")
@with_and_without_scripts
def test_an_application_is_protected_and_another_one_restored(
    open_page: OpenPage, operator: Any, make_inactive: Callable[..., Application], javascript: bool
) -> None:
    make_inactive("Old Reports", used=200)
    make_inactive("Conference Demo", used=300)
    page = open_page(javascript=javascript)
    log_in(page, operator)
    page.goto(RUN)
    page.get_by_role("link", name="Inactive applications", exact=True).click()
    page.get_by_role("button", name="Protect Old Reports").click()
    expect(page.get_by_text("no clean-up removes it")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Old Reports")).to_contain_text("protected by operator")
    assert ProtectedApplication.objects.get().client_id == "old-reports"

    page.get_by_role("link", name="Preview the clean-up").click()
    page.get_by_label("Reason").fill("Spring cleaning.")
    page.get_by_role("button", name="Confirm and run").click()
    expect(page.get_by_text("The run is enqueued.")).to_be_visible()
    run_here(Run.objects.get())
    assert [*Application.objects.values_list("name", flat=True)] == ["Old Reports"]

    page.reload()
    page.get_by_role("link", name="1 application in the archive").click()
    page.get_by_role("link", name="Conference Demo").click()
    page.get_by_label("Reason").fill("They called.")
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("Conference Demo is back.")).to_be_visible()
    assert Application.objects.filter(name="Conference Demo").exists()


@pytest.mark.usefixtures("schedules")
def test_a_schedule_with_bad_arguments_is_refused_and_then_mended(page: Page, operator: Any) -> None:
    entry = PeriodicTask.objects.get(name="maintenance: clean up inactive applications")
    log_in(page, operator)
    page.goto(f"{SCHEDULES}{entry.pk}/change/")
    expect(page.get_by_text("at 03:30, only on Sunday, UTC")).to_be_visible()
    arguments = page.locator("#id_kwargs")
    if not arguments.is_visible():
        page.get_by_text("Arguments", exact=True).first.click()
    arguments.fill('{"days": "soon"}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("days: Enter a whole number.")).to_be_visible()
    arguments.fill('{"days": 180}')
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    entry.refresh_from_db()
    assert entry.kwargs == '{"days": 180}'
    page.goto(AUDIT)
    expect(page.get_by_role("row").filter(has_text="Schedule changed")).to_contain_text(entry.name)


@pytest.fixture
def furnished(
    operator: Any, anna: Any, make_inactive: Callable[..., Application], make_tokens: Callable[..., Any]
) -> Any:
    """A site with something on every page."""
    make_tokens(expired=1240, live=30)
    make_inactive("Conference Demo", used=420)
    cleanup_inactive_applications()
    make_inactive("Old Reports", used=200)
    make_inactive("Wedding slideshow with quite a long name for a phone", used=140, skip_authorization=True)
    make_inactive("Desk Assistant", days=64, registration_source="dcr")
    make_inactive("Desk Assistant 2", days=61, registration_source="dcr")
    ProtectedApplication.objects.create(
        client_id="old-reports", actor="maria", reason="A partner's yearly report"
    )
    with audit.origin(actor="maria", source="admin", address="192.0.2.7"):
        run = runs.enqueue("clear_expired")
        runs.pause(run, actor="maria")
        audit.record(
            AuditAction.APPLICATION_PROTECTED, target="old-reports", reason="A partner's yearly report"
        )
    return operator


@pytest.mark.usefixtures("strict_site")
@every_look
def test_the_pages_look_right(furnished: Any, anna: Any, open_page: OpenPage, look: str) -> None:
    page = open_page(**LOOKS[look])
    log_in(page, furnished)
    archive = ArchivedApplication.objects.get()
    for name, path in {
        "run-now": f"{RUN}run/revoke_user_tokens/?user_id={anna.pk}",
        "preview": f"{RUN}run/clear_expired/?preview",
        "preview-revoke": f"{RUN}run/revoke_user_tokens/?preview&user_id={anna.pk}",
        "preview-clean-up": f"{RUN}run/cleanup_inactive_applications/?preview",
        "inactive-applications": INACTIVE,
        "archived-application": f"{ARCHIVE}{archive.pk}/change/",
        "audit": AUDIT,
    }.items():
        page.goto(path)
        axe(page)
        fits(page)
        screenshot(page, f"{name}-{look}")


@pytest.mark.usefixtures("schedules")
@every_look
def test_the_schedules_look_right(operator: Any, open_page: OpenPage, look: str) -> None:
    entry = PeriodicTask.objects.get(name="maintenance: clear expired")
    PeriodicTask.objects.filter(name="maintenance: purge runs").update(enabled=False, kwargs="{bad")
    page = open_page(**LOOKS[look])
    log_in(page, operator)
    page.goto(SCHEDULES)
    expect(page.get_by_text("disabled by beat")).to_be_visible()
    screenshot(page, f"schedules-{look}")
    page.goto(f"{SCHEDULES}{entry.pk}/change/")
    expect(page.get_by_role("heading", name="What this entry does")).to_be_visible()
    found = page.get_by_text(re.compile("at 02:15, UTC"))
    expect(found.first).to_be_visible()
    screenshot(page, f"schedule-{look}")
