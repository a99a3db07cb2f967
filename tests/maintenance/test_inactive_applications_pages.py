"""Inactive applications in the admin: the evidence, protection, the archive; and the filter on a site's own admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from maintenance.admin import inactive_applications
from maintenance.models import ArchivedApplication, AuditAction, AuditEvent, ProtectedApplication, Run
from maintenance.operations import cleanup_inactive_applications
from oauth2_provider.models import Application
from tests.oauth2_provider.credentials import make_client

PAGE = "/admin/maintenance/run/inactive-applications/"
ARCHIVE = "/admin/maintenance/archivedapplication/"
PROTECTED = "/admin/maintenance/protectedapplication/"
APPLICATIONS = "/admin/oauth2_provider/application/"
on_own_site = pytest.mark.urls("tests.maintenance.own_site")


def make(client_id: str, *, days: int = 400, used: int | None = None, **fields: Any) -> Application:
    application = make_client(client_id, name=client_id.title(), **fields)
    now = timezone.now()
    last_used = None if used is None else now - timedelta(days=used)
    rows = Application.objects.filter(pk=application.pk)
    rows.update(created=now - timedelta(days=days), last_used=last_used)
    return application


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    def log_in(*permissions: str) -> Client:
        user = get_user_model().objects.create_user("operator", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return log_in


def shown(page: Any) -> dict[str, tuple[str, bool]]:
    """Return kind and fate by client_id."""
    return {
        candidate.application.client_id: (str(candidate.kind), candidate.goes)
        for candidate in page.context["candidates"]
    }


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_each_candidate_is_shown_with_its_kind_and_fate(admin_client: Client) -> None:
    make("flood", days=31, registration_source="dcr")
    make("dormant", used=100)
    make("trusted", used=100, skip_authorization=True)
    make("active", used=5)
    page = admin_client.get(PAGE)
    assert shown(page) == {
        "flood": ("never authorized", True),
        "dormant": ("dormant", True),
        "trusted": ("dormant", False),
    }
    text = page.content.decode()
    assert "skips authorization: a trusted application" in text
    assert "?preview=" in text


def test_the_ages_and_the_kind_narrow_the_list_and_reach_the_preview(admin_client: Client) -> None:
    make("flood", days=31)
    make("dormant", used=100)
    page = admin_client.get(PAGE, {"days": "120", "never_authorized_days": "10"})
    assert set(shown(page)) == {"flood"}
    assert page.context["preview_url"].endswith("?preview=&days=120&never_authorized_days=10")
    preview = admin_client.get(page.context["preview_url"])
    assert preview.context["preview"].reasons == {"never_authorized": 1}
    page = admin_client.get(PAGE, {"days": "90", "never_authorized_days": "30", "kind": "dormant"})
    assert set(shown(page)) == {"dormant"}
    page = admin_client.get(PAGE, {"days": "-1", "never_authorized_days": "30"})
    assert "days" in page.context["form"].errors


def test_the_list_goes_page_by_page_with_a_bounded_number_of_queries(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        make(f"client {number:02}")
    with django_assert_max_num_queries(70):
        page = admin_client.get(PAGE)
    assert len(shown(page)) == 25
    following = admin_client.get(PAGE + page.context["next_url"])
    assert len(shown(following)) == 5
    assert following.context["next_url"] is None
    assert shown(admin_client.get(PAGE, {"after": "nonsense"})) == {}


def test_protect_and_unprotect(admin_client: Client) -> None:
    make("kept", used=100)
    admin_client.post(f"{PAGE}protect/", {"client_id": "kept"})
    page = admin_client.get(PAGE)
    assert shown(page)["kept"] == ("dormant", False)
    assert "protected by admin" in page.content.decode()
    assert cleanup_inactive_applications()[0]["reason"] == "protected"
    admin_client.post(f"{PAGE}unprotect/", {"client_id": "kept"})
    assert shown(admin_client.get(PAGE))["kept"] == ("dormant", True)
    event = AuditEvent.objects.get(action=AuditAction.APPLICATION_PROTECTED)
    assert (event.actor, event.source, event.address, event.target) == ("admin", "admin", "127.0.0.1", "kept")
    assert said(admin_client.post(f"{PAGE}protect/", {"client_id": "nobody"}))[-1] == (
        "There is no application with this client ID."
    )
    assert admin_client.get(f"{PAGE}protect/").status_code == 405


def test_protection_with_a_reason_in_the_admin_and_its_end(admin_client: Client) -> None:
    make("kept", used=100)
    add = f"{PROTECTED}add/"
    assert 'value="kept"' in admin_client.get(add, {"client_id": "kept"}).content.decode()
    refused = admin_client.post(add, {"client_id": "nobody", "reason": ""})
    assert refused.context["errors"] == [["There is no application with this client ID."]]
    assert admin_client.post(add, {"client_id": "kept", "reason": "a partner"}).status_code == 302
    word = ProtectedApplication.objects.get()
    assert (word.actor, word.reason) == ("admin", "a partner")
    admin_client.post(f"{PROTECTED}{word.pk}/delete/", {"post": "yes"})
    assert not ProtectedApplication.objects.exists()
    assert AuditEvent.objects.get(action=AuditAction.APPLICATION_UNPROTECTED).actor == "admin"


def test_an_archived_application_is_restored_from_its_page(admin_client: Client) -> None:
    make("gone", used=100, client_secret="a secret")
    cleanup_inactive_applications()
    archive = ArchivedApplication.objects.get()
    run = Run.objects.get()
    listed = admin_client.get(ARCHIVE, {"run__id__exact": str(run.pk)}).content.decode()
    assert "Gone" in listed
    run_page = admin_client.get(reverse("admin:maintenance_run_change", args=[run.pk])).content.decode()
    assert f"{ARCHIVE}?run__id__exact={run.pk}" in run_page
    page = admin_client.get(f"{ARCHIVE}{archive.pk}/change/").content.decode()
    hashed = archive.document[0]["fields"]["client_secret"]
    assert hashed
    assert hashed not in page
    answer = admin_client.post(f"{ARCHIVE}{archive.pk}/restore/", {"reason": "they called"})
    assert said(answer) == ["Gone is back. Its tokens are gone for good: its users log in anew."]
    assert Application.objects.get().client_id == "gone"
    event = AuditEvent.objects.get(action=AuditAction.APPLICATION_RESTORED)
    assert (event.actor, event.reason) == ("admin", "they called")
    again = admin_client.post(f"{ARCHIVE}{archive.pk}/restore/")
    assert said(again)[-1:] == ["This application was restored already."]
    assert "Restored on" in admin_client.get(f"{ARCHIVE}{archive.pk}/change/").content.decode()
    assert admin_client.get(f"{ARCHIVE}{archive.pk}/restore/").status_code == 405
    assert said(admin_client.post(f"{ARCHIVE}4711/restore/"))[-1:] == [
        "There is no such archived application."
    ]


def test_what_cannot_be_restored_says_why(admin_client: Client) -> None:
    make("gone", used=100)
    cleanup_inactive_applications()
    make_client("gone")
    answer = admin_client.post(f"{ARCHIVE}{ArchivedApplication.objects.get().pk}/restore/")
    assert said(answer) == ["There is an application with the client_id 'gone'."]


def test_an_archive_that_holds_nothing_says_so_and_is_no_error(admin_client: Client) -> None:
    run = Run.objects.create(operation="cleanup_inactive_applications", trigger="code")
    archive = ArchivedApplication.objects.create(run=run, client_id="gone", document=[])
    answer = admin_client.post(f"{ARCHIVE}{archive.pk}/restore/")
    assert said(answer)[0].startswith("The archived row does not fit the database any more")
    assert admin_client.get(f"{ARCHIVE}{archive.pk}/change/").status_code == 200


def test_a_viewer_sees_and_changes_nothing(staff: Callable[..., Client]) -> None:
    make("kept", used=100)
    make("gone", days=500)
    ProtectedApplication.objects.create(client_id="kept")
    cleanup_inactive_applications()
    archive = ArchivedApplication.objects.get()
    client = staff("view_run", "view_application", "view_archivedapplication", "view_protectedapplication")
    page = client.get(PAGE)
    assert page.context["preview_url"] is None
    assert b">Unprotect<" not in page.content
    assert b"Restore</button>" not in client.get(f"{ARCHIVE}{archive.pk}/change/").content
    for path in (f"{PAGE}protect/", f"{PAGE}unprotect/", f"{ARCHIVE}{archive.pk}/restore/"):
        assert client.post(path, {"client_id": "kept"}).status_code == 403
    assert client.get(f"{PROTECTED}add/").status_code == 403
    assert ProtectedApplication.objects.count() == 1
    assert AuditEvent.objects.filter(action=AuditAction.PERMISSION_REFUSED, actor="operator").count() == 3


def test_the_applications_are_not_shown_to_who_may_see_runs_alone(staff: Callable[..., Client]) -> None:
    client = staff("view_run")
    assert client.get(PAGE).status_code == 403
    assert PAGE.encode() not in client.get("/admin/maintenance/run/").content


@on_own_site
@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("yes", {"flood", "dormant"}),
        ("never_authorized", {"flood"}),
        ("dormant", {"dormant"}),
        ("no", {"active"}),
    ],
)
def test_inactive_is_a_filter_on_the_admin_of_applications(
    admin_client: Client, value: str, names: set[str]
) -> None:
    make("flood", days=31)
    make("dormant", used=100)
    make("active", used=5)
    page = admin_client.get(APPLICATIONS, {"inactive": value})
    assert {application.client_id for application in page.context["cl"].queryset} == names
    assert b"By client type" in page.content  # the site's own filter


def test_of_too_many_applications_the_filter_looks_at_the_newest_and_says_so(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inactive_applications, "FILTERED_AT_MOST", 2)
    make("older", used=100)
    make("old", used=100)
    asked = {"inactive": "dormant"}
    assert "of the newest" not in admin_client.get(APPLICATIONS, asked).content.decode()
    make("new", used=100)
    page = admin_client.get(APPLICATIONS, asked)
    assert {application.client_id for application in page.context["cl"].queryset} == {"old", "new"}
    assert "inactive, of the newest 2" in page.content.decode()


@on_own_site
def test_an_applications_page_leads_to_its_protection_and_back(admin_client: Client) -> None:
    application = make("kept", used=100)
    change = f"{APPLICATIONS}{application.pk}/change/"
    assert f"{PROTECTED}add/?client_id=kept" in admin_client.get(change).content.decode()
    word = ProtectedApplication.objects.create(client_id="kept")
    page = admin_client.get(change).content.decode()
    assert f"{PROTECTED}{word.pk}/delete/" in page
    assert "Protect from clean-up" not in page
