"""Schedules in django-celery-beat's admin: arguments checked, meaning in words, what is wrong, who may."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.forms import model_to_dict
from django.test import Client
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from maintenance.models import AuditAction, AuditEvent, Run, Trigger

ENTRIES = "/admin/django_celery_beat/periodictask/"
CLEAN_UP = "maintenance: clean up inactive applications"


@pytest.fixture
def entry(db: None) -> PeriodicTask:
    return PeriodicTask.objects.get(name=CLEAN_UP)


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    def log_in(*permissions: str) -> Client:
        user = get_user_model().objects.create_user("operator", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return log_in


def change(client: Client, entry: PeriodicTask, **values: Any) -> Any:
    data = {name: value for name, value in model_to_dict(entry).items() if value is not None}
    data = {**data, "regtask": "", **values}
    data = {name: value for name, value in data.items() if value is not False}
    return client.post(f"{ENTRIES}{entry.pk}/change/", data)


def errors(answer: Any) -> dict[str, list[str]]:
    found = answer.context["adminform"].form.errors
    return {name: list(messages) for name, messages in found.items()}


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_arguments_that_the_operation_takes_are_stored(admin_client: Client, entry: PeriodicTask) -> None:
    assert change(admin_client, entry, kwargs='{"days": 180}', enabled="on").status_code == 302
    entry.refresh_from_db()
    assert (json.loads(entry.kwargs), entry.enabled) == ({"days": 180}, True)
    event = AuditEvent.objects.get(action=AuditAction.SCHEDULE_CHANGED)
    assert (event.actor, event.target, event.operation) == (
        "admin",
        CLEAN_UP,
        "cleanup_inactive_applications",
    )
    assert event.effect == {
        "enabled": True,
        "when": "at 03:30, only on Sunday, UTC",
        "arguments": '{"days": 180}',
        "changed": ["enabled", "kwargs"],
    }


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"kwargs": '{"days": -1}'}, "kwargs", "days: Ensure this value is greater than or equal to 1."),
        (
            {"kwargs": '{"dayz": 1}'},
            "kwargs",
            "takes no such argument; it takes: days, never_authorized_days",
        ),
        ({"kwargs": "{bad"}, "kwargs", "Unable to parse JSON"),
        ({"kwargs": "[1]"}, "kwargs", 'Give a JSON object, such as {"days": 30}.'),
        ({"args": "{}"}, "args", 'Give a JSON list, such as ["a", 1].'),
        ({"args": "[90]"}, "args", "too many positional arguments"),
        ({"headers": "{bad"}, "headers", "Give a JSON object"),
        (
            {"task": "maintenance.tasks.clear_expird"},
            "task",
            "There is no task maintenance.tasks.clear_expird",
        ),
        ({"task": "maintenance.tasks.advance"}, "task", "There is no task maintenance.tasks.advance"),
        (
            {"task": "maintenance.tasks.clear_expired", "kwargs": '{"days": 3}'},
            "kwargs",
            "unexpected keyword",
        ),
        (
            {"task": "maintenance.tasks.run_operation", "kwargs": '{"operation": "nope"}'},
            "kwargs",
            "There is no operation 'nope'. There are: cleanup_inactive_applications",
        ),
        ({"task": "maintenance.tasks.run_operation"}, "kwargs", "missing a required argument: 'operation'"),
        ({"task": "maintenance.tasks.migrate_token_scopes", "args": '["a", "a"]'}, "args", "refuses these"),
        ({"task": "maintenance.tasks.revoke_user_tokens"}, "kwargs", "Say whose tokens"),
    ],
)
def test_what_beat_or_the_operation_could_not_take_is_refused_with_a_clear_message(
    admin_client: Client, entry: PeriodicTask, values: dict[str, str], field: str, message: str
) -> None:
    answer = change(admin_client, entry, **values)
    assert answer.status_code == 200
    assert message in " ".join(errors(answer)[field])
    before = PeriodicTask.objects.get(pk=entry.pk)
    assert (before.task, before.kwargs, before.args) == (entry.task, entry.kwargs, entry.args)


@pytest.mark.parametrize(
    "values",
    [
        {"task": "maintenance.tasks.sweep"},
        {"task": "maintenance.tasks.purge_runs", "args": "[30]"},
        {"task": "maintenance.tasks.purge_runs", "kwargs": '{"days": 30}'},
        {"task": "maintenance.tasks.run_operation", "kwargs": '{"operation": "purge_runs", "days": 30}'},
        {"task": "site.tasks.anything", "kwargs": '{"whatever": 1}'},
    ],
)
def test_what_they_can_take_is_stored(
    admin_client: Client, entry: PeriodicTask, values: dict[str, str]
) -> None:
    assert change(admin_client, entry, **values).status_code == 302


def test_the_page_says_what_an_entry_does_and_when(admin_client: Client, entry: PeriodicTask) -> None:
    entry.enabled = True
    entry.crontab = CrontabSchedule.objects.create(minute="30", hour="2", timezone="Europe/Berlin")
    entry.save()
    page = admin_client.get(f"{ENTRIES}{entry.pk}/change/")
    text = page.content.decode()
    assert "Clean up inactive applications: Removes applications" in text
    assert "at 02:30, Europe/Berlin" in text
    assert len(page.context["schedule_next"]) == 3
    assert all(time.endswith(("CET", "CEST")) for time in page.context["schedule_next"])
    assert any(
        "skip 02:30: it fires at 03:30 instead" in warning for warning in page.context["schedule_warnings"]
    )
    assert any("comes twice in Europe/Berlin" in message for message in said(change(admin_client, entry)))


def test_the_list_says_when_what_is_overdue_and_what_beat_turned_off(admin_client: Client) -> None:
    now = timezone.now()
    entries = PeriodicTask.objects.filter(name__startswith="maintenance:")
    entries.filter(name="maintenance: clear expired").update(
        last_run_at=now - timedelta(days=3), date_changed=now - timedelta(days=9)
    )
    entries.filter(name="maintenance: purge runs").update(enabled=False, kwargs="{bad")
    text = admin_client.get(ENTRIES).content.decode()
    assert "at 02:15, UTC" in text
    assert "every minute" in text
    assert ">overdue<" in text
    assert ">disabled by beat<" in text
    assert "its keyword arguments are no JSON object" in text


def test_a_scheduled_run_shows_that_an_entry_is_not_overdue(admin_client: Client) -> None:
    now = timezone.now()
    entries = PeriodicTask.objects.filter(task="maintenance.tasks.clear_expired")
    entries.update(last_run_at=None, date_changed=now - timedelta(days=9))
    page = f"{ENTRIES}{entries.get().pk}/change/"
    assert "Overdue" in admin_client.get(page).content.decode()
    Run.objects.create(operation="clear_expired", trigger=Trigger.SCHEDULE, status="succeeded")
    assert "Overdue" not in admin_client.get(page).content.decode()


BEAT = ("view_periodictask", "change_periodictask", "add_periodictask", "delete_periodictask")


def test_who_may_not_have_an_operation_run_cannot_schedule_it(
    staff: Callable[..., Client], entry: PeriodicTask
) -> None:
    client = staff(*BEAT, "run_hygiene")
    answer = change(client, entry, enabled="on")
    assert errors(answer)["__all__"] == [
        "You have no permission to have Clean up inactive applications run, and so none to schedule it."
    ]
    actions = ["enable_tasks", "toggle_tasks", "run_tasks", "disable_tasks", "delete_selected"]
    for action in actions:
        answer = client.post(ENTRIES, {"action": action, "_selected_action": [entry.pk], "post": "yes"})
        assert said(answer)[-1].startswith("You have no permission to have these run, so nothing was done")
    answer = change(client, entry, task="site.tasks.anything")  # which would be the end of it as well
    assert "so none to schedule it" in errors(answer)["__all__"][0]
    assert client.post(f"{ENTRIES}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    entry.refresh_from_db()
    assert (entry.enabled, entry.task) == (False, "maintenance.tasks.cleanup_inactive_applications")
    events = AuditEvent.objects.filter(action=AuditAction.PERMISSION_REFUSED).order_by("pk")
    assert {(event.actor, event.operation) for event in events} == {
        ("operator", "cleanup_inactive_applications")
    }
    assert [event.target for event in events] == [
        f"schedule {CLEAN_UP}",
        *(f"{action} {CLEAN_UP}" for action in actions),
        f"schedule {CLEAN_UP}",
        f"delete schedule {CLEAN_UP}",
    ]


def test_entries_of_other_tasks_take_no_permission_of_ours(
    staff: Callable[..., Client], entry: PeriodicTask
) -> None:
    PeriodicTask.objects.filter(pk=entry.pk).update(task="site.tasks.anything")
    entry.refresh_from_db()
    client = staff(*BEAT)
    assert change(client, entry, task="site.tasks.else").status_code == 302
    assert client.post(f"{ENTRIES}{entry.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not PeriodicTask.objects.filter(pk=entry.pk).exists()


def test_who_may_have_it_run_may_schedule_it(staff: Callable[..., Client], entry: PeriodicTask) -> None:
    client = staff(*BEAT, "run_hygiene", "run_destructive")
    client.post(ENTRIES, {"action": "enable_tasks", "_selected_action": [entry.pk]})
    entry.refresh_from_db()
    assert entry.enabled
    event = AuditEvent.objects.get(action=AuditAction.SCHEDULE_CHANGED)
    assert (event.actor, event.effect["changed"]) == ("operator", ["enable_tasks"])


def test_an_entry_that_is_enabled_again_waits_for_its_next_time(
    admin_client: Client, entry: PeriodicTask
) -> None:
    """Beat forgets the last run of what is disabled in the admin, and would fire it the moment it is enabled."""
    for action in ("enable_tasks", "disable_tasks"):
        admin_client.post(ENTRIES, {"action": action, "_selected_action": [entry.pk]})
    entry.refresh_from_db()
    assert entry.last_run_at is None
    before = timezone.now()
    admin_client.post(ENTRIES, {"action": "enable_tasks", "_selected_action": [entry.pk]})
    entry.refresh_from_db()
    assert entry.enabled
    assert entry.last_run_at is not None
    assert entry.last_run_at >= before
    assert not entry.schedule.is_due(entry.last_run_at).is_due


def test_the_end_of_an_entry_is_recorded(admin_client: Client, entry: PeriodicTask) -> None:
    admin_client.post(f"{ENTRIES}{entry.pk}/delete/", {"post": "yes"})
    assert not PeriodicTask.objects.filter(pk=entry.pk).exists()
    assert AuditEvent.objects.get(action=AuditAction.SCHEDULE_CHANGED).effect["changed"] == ["deleted"]
