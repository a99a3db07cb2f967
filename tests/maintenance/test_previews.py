"""How long a preview says the work would take, and which numbers at its confirmation are others by now."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from maintenance import runs
from maintenance.admin.confirmation import table_title
from maintenance.models import Run, RunStatus, Trigger
from maintenance.operations import Job, Operation, Preview, get_operation, register, unregister
from maintenance.operations.base import Inexact, Number
from maintenance.previews import differs, expected_seconds, preview_of, read_signed, signed
from maintenance.runner import run_here
from tests.databases import EngineDatabase
from tests.engines import on_every_engine

CLEAR = "/admin/maintenance/run/run/clear_expired/"


def ended(rows: int, seconds: float, **values: Any) -> Run:
    """Store a run that worked `rows` rows in `seconds`."""
    stored = {"operation": "clear_expired", "status": RunStatus.SUCCEEDED, "trigger": Trigger.CODE, **values}
    return Run.objects.create(
        counts={"a": rows // 2, "b": rows - rows // 2},
        seconds_worked=seconds,
        finished=timezone.now(),
        **stored,
    )


def seconds_for(rows: int) -> float | None:
    return expected_seconds(get_operation("clear_expired"), Preview(counts={"a": rows}))


@on_every_engine
def test_the_pace_is_that_of_all_rows_of_the_last_runs(engine: EngineDatabase) -> None:
    ended(100, 1.0)
    ended(900, 1.0)
    assert seconds_for(5000) == pytest.approx(10.0)


@pytest.mark.django_db
def test_runs_of_long_ago_do_not_count() -> None:
    ended(1_000_000, 1.0)
    for _ in range(20):
        ended(100, 1.0)
    assert seconds_for(200) == pytest.approx(2.0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "values",
    [
        {"status": RunStatus.FAILED},
        {"status": RunStatus.CANCELLED},
        {"operation": "purge_runs"},
        {"dry_run": True},
        {"shards": 4},  # several workers at once; their seconds are in rows of their own
    ],
)
def test_no_other_run_tells_the_pace(values: dict[str, Any]) -> None:
    ended(1000, 1.0, **values)
    assert seconds_for(1000) is None


@pytest.mark.django_db
def test_nothing_is_said_without_history_or_out_of_proportion_to_it() -> None:
    assert seconds_for(10) is None
    ended(0, 0.5)  # it found nothing to do
    ended(0, 0.0)
    assert seconds_for(10) is None
    ended(10, 0.5)
    assert seconds_for(0) is None
    assert seconds_for(1000) == pytest.approx(100.0)
    assert seconds_for(1001) is None


@pytest.mark.django_db
def test_the_page_and_the_command_say_it(
    admin_client: Client, make_tokens: Callable[..., Any], settings: Any
) -> None:
    make_tokens(expired=40)
    assert "pace of the last runs" not in admin_client.post(CLEAR).content.decode()
    assert json.loads(dry_run("--json"))["expected_seconds"] is None
    assert "takes about" not in dry_run()
    ended(100, 10.0)
    page = admin_client.post(CLEAR)
    assert page.context["takes"] == "about 4.0 s"
    assert "at the pace of the last runs; rests and holds come on top" in page.content.decode()
    assert "takes about 4.0 s, at the pace of the last runs" in dry_run()
    assert json.loads(dry_run("--json"))["expected_seconds"] == pytest.approx(4.0)
    settings.MAINTENANCE = {"PREVIEW_ROWS": 20, "DRY_RUN_ROWS": 20}
    assert admin_client.post(CLEAR).context["takes"] == "at least 2.0 s"
    assert "takes at least 2.0 s" in dry_run()


@pytest.mark.django_db
def test_a_real_run_is_history(make_tokens: Callable[..., Any]) -> None:
    make_tokens(expired=40)
    run = run_here(runs.enqueue("clear_expired"))
    assert run.seconds_worked > 0
    assert seconds_for(80) == pytest.approx(2 * run.seconds_worked)


def dry_run(*options: str) -> str:
    out = StringIO()
    call_command("cleartokens", "--dry-run", *options, stdout=out, stderr=StringIO())
    return out.getvalue()


@pytest.mark.django_db
def test_a_preview_calls_tables_as_the_dashboard_does(
    admin_client: Client, make_tokens: Callable[..., Any]
) -> None:
    make_tokens(expired=1)
    titles = [title for title, _ in admin_client.post(CLEAR).context["tables"]]
    lines = admin_client.get("/admin/maintenance/dashboard/").context["tables"]
    assert set(titles) <= {line.title for line in lines}
    assert table_title("oauth2_provider_idtoken") == "ID tokens"
    assert table_title("no_table") == "no_table"


def exact(rows: int) -> Number:
    return Number(shown=rows, counted=rows)


def at_least(rows: int) -> Number:
    return Number(shown=rows, counted=rows, doubt=Inexact.AT_LEAST)


def about(rows: int, counted: int = 0) -> Number:
    return Number(shown=rows, counted=counted, doubt=Inexact.ABOUT)


def of(number: Number) -> Preview:
    return Preview.of({"a": number}, {})


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (exact(100), exact(109)),
        (exact(100), exact(91)),
        (about(5_000_000, 10_000), exact(10_050)),  # the count had no time, and the estimate was wrong
        (about(5_000_000, 10_000), exact(9_500)),
        (about(5_000_000, 10_000), about(30_000, 10_000)),
        (about(5_000_000), at_least(0)),
        (about(1_000), about(1_999)),
        (at_least(10_000), at_least(10_000)),
        (at_least(10_000), exact(15_000)),
        (exact(9_900), about(10_500, 10_000)),  # it grew a little, and over the bound
        (exact(12), about(20)),
    ],
    ids=str,
)
def test_the_numbers_still_hold(before: Number, now: Number) -> None:
    assert not differs(of(before), of(now))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (exact(100), exact(120)),
        (exact(100), exact(80)),
        (exact(0), exact(1)),
        (exact(1_200), at_least(10_000)),
        (exact(9_000), about(17_500, 10_001)),  # counted, and more by more than the tolerance
        (about(5_000_000, 10_000), exact(30)),  # fewer than were counted then
        (at_least(10_000), exact(12)),
        (about(1_000), about(5_000_000)),
        (about(1_000), exact(5_000)),
        (at_least(10_000), about(4_750_000, 10_000)),
        (exact(12), about(1_500_000)),
        (exact(0), about(1)),
    ],
    ids=str,
)
def test_the_numbers_are_others(before: Number, now: Number) -> None:
    assert differs(of(before), of(now))


def test_numbers_that_go_up_and_down_by_luck_can_be_confirmed() -> None:
    """The rows are 12 all the time: whether they are counted, or guessed at how many, hangs on the time there was."""
    outcomes = [exact(12), about(1_500_000), about(900, 7), at_least(0), at_least(12)]
    for first in outcomes:
        seen, refused = first, 0
        for now in outcomes * 3:
            if differs(of(seen), of(now)):
                seen, refused = now, refused + 1
        assert refused <= 2, first
        assert not any(differs(of(seen), of(now)) for now in outcomes)


def test_what_is_signed_says_which_numbers_are_inexact(admin_user: Any) -> None:
    kind = get_operation("clear_expired")
    shown = Preview.of({"a": about(30_000, 10_000), "b": exact(3)}, {"reason": at_least(5)})
    confirmed = read_signed(signed(kind, [{}], shown, user=admin_user), kind, user=admin_user)
    assert [confirmed.preview.number(table) for table in ("a", "b")] == [about(30_000, 10_000), exact(3)]


@pytest.mark.django_db
def test_runs_that_are_previewed_together_share_the_time(settings: Any) -> None:
    settings.MAINTENANCE = {"PREVIEW_SECONDS": 800}
    register(Slow)
    try:
        found = preview_of(get_operation("slow"), [{}] * 4)
    finally:
        unregister("slow")
    assert found.shown("some") == "about 4"
    assert found.shown("more") == "at least 4"
    parts = sorted(float(seconds) for seconds in found.warnings)
    assert parts == pytest.approx([200, 800 / 3, 400, 800], rel=0.05)  # what one leaves, the others have


class Slow(Operation):
    """Says how long it might take, in its warnings."""

    name = "slow"
    title = "Slow"
    description = "Waits."

    def preview(self, job: Job) -> Preview:
        assert job.budget is not None
        numbers = {"some": about(1), "more": at_least(1)}
        return Preview.of(numbers, {}, warnings=[str(job.budget.seconds)])
