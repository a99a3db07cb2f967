"""Run now: arguments, the preview, what confirms it and what does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.messages import get_messages
from django.core import signing
from django.test import Client
from django.urls import reverse

from maintenance.models import AuditAction, AuditEvent, Run, RunEvent, Trigger
from maintenance.operations import (
    ArgumentsForm,
    Job,
    Operation,
    Preview,
    get_operation,
    register,
    unregister,
)
from maintenance.operations.base import Inexact, Number
from maintenance.previews import SALT, preview_of, signed
from maintenance.runner import run_here
from oauth2_provider.models import AccessToken

CLEAR = "/admin/maintenance/run/run/clear_expired/"


def preview_in(answer: Any) -> str:
    """Return the signed preview of a page."""
    found = re.search(r'name="preview" value="([^"]+)"', answer.content.decode())
    assert found is not None
    return found[1]


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def confirm(client: Client, path: str, preview: str, reason: str = "a test") -> Any:
    return client.post(path, {"confirm": "yes", "preview": preview, "reason": reason})


def test_what_is_previewed_and_confirmed_runs(
    admin_client: Client, admin_user: Any, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=5, live=2)
    page = admin_client.post(CLEAR, {"reason": "the disk is full"})
    assert "Nothing has been touched yet." in page.content.decode()
    assert page.context["preview"].counts["oauth2_provider_accesstoken"] == 5
    assert "the disk is full" in page.content.decode()
    assert not Run.objects.exists()
    answer = confirm(admin_client, CLEAR, preview_in(page), "the disk is full")
    run = Run.objects.get()
    assert answer["Location"] == reverse("admin:maintenance_run_change", args=[run.pk])
    assert (run.trigger, run.requested_by, run.reason) == (Trigger.ADMIN, admin_user, "the disk is full")
    note = RunEvent.objects.get(run=run, kind=RunEvent.Kind.NOTE)
    assert (note.text, note.actor) == ("confirmed after a preview of 5 rows", "admin")
    run_here(run)
    assert AccessToken.objects.count() == 2


def test_a_preview_shows_reasons_ages_keys_path_and_warnings(
    admin_client: Client, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=3)
    oldest = AccessToken.objects.earliest("created")
    page = admin_client.get(CLEAR, {"preview": ""}).content.decode()
    for shown in ("Access tokens", "Set-based", f"{oldest.created:%Y-%m-%d %H:%M}", f"{oldest.pk}"):
        assert shown in page
    assert "REFRESH_TOKEN_EXPIRE_SECONDS" in page  # unset: it keeps rows, and the preview warns of it
    assert oldest.token not in page


def test_a_preview_is_in_the_audit_trail(admin_client: Client, make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=3)
    admin_client.post(CLEAR)
    event = AuditEvent.objects.get(action=AuditAction.RUN_PREVIEWED)
    assert (event.actor, event.source, event.address) == ("admin", "admin", "127.0.0.1")
    assert event.effect["counts"]["oauth2_provider_accesstoken"] == 3


def test_a_destructive_operation_never_runs_without_its_preview(admin_client: Client) -> None:
    for data in ({}, {"run": "yes"}, {"confirm": "yes", "reason": "x"}, {"confirm": "yes", "preview": "x"}):
        admin_client.post(CLEAR, data)
    assert not Run.objects.exists()


def test_no_run_without_a_reason(admin_client: Client) -> None:
    page = admin_client.post(CLEAR)
    again = confirm(admin_client, CLEAR, preview_in(page), reason="  ")
    assert again.context["form"].errors["reason"] == ["This field is required."]
    assert not Run.objects.exists()


def test_numbers_that_changed_show_a_new_preview_instead_of_running(
    admin_client: Client, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=5)
    page = admin_client.post(CLEAR)
    AccessToken.objects.filter(token="expired 0").delete()
    again = confirm(admin_client, CLEAR, preview_in(page))
    assert not Run.objects.exists()
    assert said(again) == [
        "The numbers have changed since you looked (Access tokens: 5 → 4). Nothing runs yet: look again."
    ]
    assert again.context["form"]["reason"].value() == "a test"
    confirm(admin_client, CLEAR, preview_in(again))
    assert Run.objects.count() == 1


def test_numbers_within_the_tolerance_run(
    admin_client: Client, make_tokens: Callable[..., Any], settings: Any
) -> None:
    settings.MAINTENANCE = {"PREVIEW_TOLERANCE": 0.25}
    make_tokens(expired=5)
    page = admin_client.post(CLEAR)
    AccessToken.objects.filter(token="expired 0").delete()
    confirm(admin_client, CLEAR, preview_in(page))
    assert Run.objects.count() == 1


def test_an_old_preview_is_shown_anew_with_its_arguments(
    admin_client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = reverse("admin:maintenance_run_now", args=["purge_runs"])
    page = admin_client.post(path, {"days": "7"})
    settings.MAINTENANCE = {"PREVIEW_VALID_SECONDS": 60}
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 61)
    again = confirm(admin_client, path, preview_in(page))
    assert said(again) == ["The preview was too old to go by. Look at this new one."]
    assert again.context["works"] == [[("Days", "7")]]
    assert not Run.objects.exists()
    confirm(admin_client, path, preview_in(again))
    assert Run.objects.get().arguments == {"days": 7}


def test_a_preview_of_another_user_or_operation_or_a_changed_one_confirms_nothing(
    admin_client: Client, admin_user: Any
) -> None:
    other = get_user_model().objects.create_superuser("other")
    kind = get_operation("clear_expired")
    foreign = signed(kind, [{}], preview_of(kind, [{}]), user=other)
    purge = admin_client.post(reverse("admin:maintenance_run_now", args=["purge_runs"]))
    own = preview_in(admin_client.post(CLEAR))
    tampered = signing.b64_encode(b'{"operation": "clear_expired"}').decode() + ":" + own.split(":", 1)[1]
    for preview in (foreign, preview_in(purge), tampered, own[:-1], ""):
        answer = confirm(admin_client, CLEAR, preview)
        assert said(answer)[-1:] == ["The preview is not one of this page. Begin anew."]
        assert answer["Location"] == CLEAR
    assert not Run.objects.exists()
    assert signing.loads(own, salt=SALT)["user"] == str(admin_user.pk)


def test_arguments_in_the_query_fill_the_form_and_preview_shows_at_once(admin_client: Client) -> None:
    path = reverse("admin:maintenance_run_now", args=["purge_runs"])
    assert admin_client.get(path, {"days": "7"}).context["form"]["days"].value() == "7"
    assert admin_client.get(path, {"days": "7", "preview": ""}).context["works"] == [[("Days", "7")]]
    refused = admin_client.get(path, {"days": "-7", "preview": ""})
    assert "days" in refused.context["form"].errors


def test_arguments_that_do_not_fit_together_are_said_in_the_form(
    admin_client: Client, admin_user: Any
) -> None:
    path = reverse("admin:maintenance_run_now", args=["revoke_user_tokens"])
    page = admin_client.post(path, {"user_id": str(admin_user.pk), "everybody": "on"})
    assert page.context["form"].non_field_errors() == ["everybody goes with no other argument."]
    page = admin_client.post(path, {"user_id": "4711"})
    assert page.context["form"].errors["user_id"] == ["There is no user 4711."]


def test_users_and_applications_are_picked_by_key_whatever_their_number(
    admin_client: Client, admin_user: Any, django_assert_max_num_queries: Any
) -> None:
    get_user_model().objects.bulk_create(get_user_model()(username=f"user {n}") for n in range(50))
    path = reverse("admin:maintenance_run_now", args=["revoke_user_tokens"])
    with django_assert_max_num_queries(8):
        page = admin_client.get(path, {"user_id": str(admin_user.pk)}).content.decode()
    assert '<input type="text" name="user_id"' in page
    assert 'href="/admin/auth/user/?_to_field=id"' in page
    assert ">admin</a>" in page  # whom the key stands for
    assert "user 7" not in page
    assert "RelatedObjectLookups.js" in page


class Gentle(Operation):
    name = "gentle"
    title = "Gentle"
    description = "Deletes nothing."
    is_destructive = False
    form_class = ArgumentsForm

    def preview(self, job: Job) -> Preview:
        return Preview(counts={"a table without a model": 1})


def test_an_operation_that_destroys_nothing_may_run_without_a_preview(admin_client: Client) -> None:
    register(Gentle)
    try:
        path = reverse("admin:maintenance_run_now", args=["gentle"])
        assert b"Run without a preview" in admin_client.get(path).content
        assert b"a table without a model" in admin_client.post(path).content
        admin_client.post(path, {"run": "yes", "reason": ""})
    finally:
        unregister("gentle")
    assert Run.objects.get().operation == "gentle"


class Guessing(Operation):
    """Its preview has a number that the test says."""

    name = "guessing"
    title = "Guessing"
    description = "Deletes what it guesses."
    form_class = ArgumentsForm
    number = Number()

    def stages(self, job: Job) -> list[Any]:
        return []

    def preview(self, job: Job) -> Preview:
        return Preview.of({"some": type(self).number}, {})


@pytest.fixture
def guessing() -> Iterator[type[Guessing]]:
    register(Guessing)
    yield Guessing
    unregister("guessing")


def test_an_estimate_is_called_one_wherever_it_is_said(
    admin_client: Client, guessing: type[Guessing]
) -> None:
    path = reverse("admin:maintenance_run_now", args=["guessing"])
    guessing.number = Number(shown=4_750_000, counted=10_000, doubt=Inexact.ABOUT)
    page = admin_client.get(path, {"preview": ""})
    assert page.context["tables"] == [("some", "about 4,750,000")]
    event = AuditEvent.objects.get(action=AuditAction.RUN_PREVIEWED)
    assert (event.effect["counts"], event.effect["inexact"]) == ({"some": 4_750_000}, {"some": "about"})
    guessing.number = Number(shown=4_600_000, counted=9_000, doubt=Inexact.ABOUT)
    confirm(admin_client, path, preview_in(page))
    note = RunEvent.objects.get(run=Run.objects.get(), kind=RunEvent.Kind.NOTE)
    assert note.text == "confirmed after a preview of about 4,750,000 rows"


def test_what_may_be_nothing_is_not_said_to_be_nothing(
    admin_client: Client, guessing: type[Guessing]
) -> None:
    path = reverse("admin:maintenance_run_now", args=["guessing"])
    guessing.number = Number(doubt=Inexact.AT_LEAST)
    page = admin_client.get(path, {"preview": ""})
    assert page.context["tables"] == [("some", "at least 0")]
    assert "There is nothing to do" not in page.content.decode()
    guessing.number = Number()
    assert "There is nothing to do" in admin_client.get(path, {"preview": ""}).content.decode()


def test_an_estimate_of_another_order_shows_a_new_preview(
    admin_client: Client, guessing: type[Guessing]
) -> None:
    path = reverse("admin:maintenance_run_now", args=["guessing"])
    guessing.number = Number(shown=1_000, doubt=Inexact.ABOUT)
    page = admin_client.get(path, {"preview": ""})
    guessing.number = Number(shown=4_750_000, counted=10_000, doubt=Inexact.ABOUT)
    again = confirm(admin_client, path, preview_in(page))
    assert said(again) == [
        "The numbers have changed since you looked (some: about 1,000 → about 4,750,000). "
        "Nothing runs yet: look again."
    ]
    assert not Run.objects.exists()
    guessing.number = Number(shown=12, counted=12)
    again = confirm(admin_client, path, preview_in(again))
    assert "some: about 4,750,000 → 12" in said(again)[-1]  # ten thousand were counted
    confirm(admin_client, path, preview_in(again))
    assert Run.objects.get().operation == "guessing"
