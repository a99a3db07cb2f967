"""A run whose stages become others while it is under way, by an upgrade or a setting, goes on and does the new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import override_settings
from django.utils import timezone

from maintenance import runs
from maintenance.models import Run, RunStatus
from maintenance.operations import Job, Operation, Stage, register, unregister
from maintenance.operations.walks import WalkStage
from maintenance.progress import progress_of
from maintenance.runner import Runner, run_here
from oauth2_provider.batching import Walk, Window, delete_window
from oauth2_provider.models import AccessToken, Grant, RefreshToken
from tests.databases import EngineDatabase
from tests.engines import on_every_engine
from tests.oauth2_provider.credentials import make_user

TABLE = "oauth2_provider_accesstoken"
NAME = "delete_by_scope"


class ByScope(WalkStage):
    """Deletes the access tokens of one scope."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def rows(self) -> QuerySet[Any]:
        return AccessToken.objects.filter(scope=self.name).order_by()

    def walk(self, by: Any = None) -> Walk:
        return Walk(rows=self.rows)

    def work_window(self, walk: Walk, window: Window) -> Counter[str]:
        return Counter({TABLE: delete_window(self.rows.filter(walk.inside(window)))})


class DeleteByScope(Operation):
    """Has a stage for each scope of `scopes`, which an upgrade may change."""

    name = NAME
    title = description = "Delete by scope"
    scopes: Sequence[str] = ()

    def stages(self, job: Job) -> Sequence[Stage]:
        return [ByScope(scope) for scope in self.scopes]


@pytest.fixture
def stages_are(make_tokens: Callable[..., Any]) -> Iterator[Callable[..., None]]:
    """Return a function that makes the stages of the operation others; there are ten tokens of each scope a to e."""

    def change(scopes: str) -> None:
        DeleteByScope.scopes = list(scopes)

    register(DeleteByScope)
    yield change
    unregister(NAME)


def fill(make_tokens: Callable[..., Any]) -> None:
    make_tokens(live=50)
    for number, scope in enumerate("abcde"):
        keys = AccessToken.objects.order_by("pk").values_list("pk", flat=True)[number * 10 : number * 10 + 10]
        AccessToken.objects.filter(pk__in=list(keys)).update(scope=scope)


def scopes_left() -> str:
    return "".join(sorted(set(AccessToken.objects.values_list("scope", flat=True))))


def work_windows(run: Run, count: int) -> None:
    """Work `count` windows of 4 rows and let the run go."""
    seen: list[Run] = []
    Runner(run.pk, window_rows=4, must_stop=lambda: len(seen) >= count, on_window=seen.append).advance()
    run.refresh_from_db()
    assert run.status == RunStatus.INTERRUPTED


def in_the_old_form(run: Run) -> None:
    """Store the cursor as versions did that kept no names."""
    cursor = {name: value for name, value in run.cursor.items() if name != "stages"}
    Run.objects.filter(pk=run.pk).update(cursor=cursor)


FORMS = [pytest.param(False, id="named"), pytest.param(True, id="old form")]
CHANGES = [
    pytest.param("abcd", id="one more at the end"),
    pytest.param("dabc", id="one more before the rest"),
    pytest.param("adbc", id="one more before the one at hand"),
    pytest.param("abdec", id="two more in between"),
    pytest.param("dbc", id="the first renamed"),
    pytest.param("adc", id="the one at hand renamed"),
    pytest.param("bc", id="the first removed"),
    pytest.param("ac", id="the one at hand removed"),
    pytest.param("a", id="all but the first removed"),
    pytest.param("cba", id="turned round"),
    pytest.param("bbc", id="two of one name"),
]


@on_every_engine
@pytest.mark.parametrize("is_old", FORMS)
@pytest.mark.parametrize("scopes", CHANGES)
def test_a_run_goes_on_with_the_stages_of_the_new_version(
    engine: EngineDatabase,
    make_tokens: Callable[..., Any],
    stages_are: Callable[[str], None],
    scopes: str,
    is_old: bool,
) -> None:
    fill(make_tokens)
    stages_are("abc")
    run = runs.enqueue(NAME)
    work_windows(run, 5)  # the first stage is done, of the second there is a window
    assert (run.cursor["stage"], run.rows) == (1, 14)
    if is_old:
        in_the_old_form(run)
    stages_are(scopes)
    run = run_here(run, window_rows=4)
    assert (run.status, run.progress, run.error_message) == (RunStatus.SUCCEEDED, 1.0, "")
    assert not set(scopes) & set(scopes_left())
    assert run.rows == 50 - AccessToken.objects.count()  # each counted once
    assert run.cursor["stages"] == list(scopes)
    assert run.events.filter(text__contains="stages are others").count() == 1


@pytest.mark.django_db
def test_what_is_done_is_not_begun_again(
    make_tokens: Callable[..., Any], stages_are: Callable[[str], None]
) -> None:
    fill(make_tokens)
    stages_are("abc")
    run = runs.enqueue(NAME)
    work_windows(run, 5)
    AccessToken.objects.filter(scope="e").update(scope="a")  # out of scope: the stage is over
    stages_are("adbc")
    run = run_here(run, window_rows=4)
    assert scopes_left() == "a"
    assert run.rows == 40


@pytest.mark.django_db
def test_the_page_of_a_run_shows_no_stages_until_it_knows_them(
    make_tokens: Callable[..., Any], stages_are: Callable[[str], None]
) -> None:
    fill(make_tokens)
    stages_are("abc")
    run = runs.enqueue(NAME)
    work_windows(run, 5)
    assert [stage.title for stage in progress_of(run).stages] == ["A", "B", "C"]
    stages_are("adc")
    assert progress_of(run).stages == []
    assert progress_of(run).fraction == run.progress


@on_every_engine
@pytest.mark.parametrize("is_old", FORMS)
def test_the_shards_of_the_former_stage_end_before_the_run_goes_on(
    engine: EngineDatabase, make_tokens: Callable[..., Any], stages_are: Callable[[str], None], is_old: bool
) -> None:
    fill(make_tokens)
    stages_are("abc")
    run = runs.enqueue(NAME, shards=2)
    while not Run.objects.filter(parent=run, shard_key__startswith="1:1:").exists():
        Run.objects.filter(pk=run.pk).update(not_before=None)
        Runner(run.pk).advance()
        for shard in Run.objects.filter(parent=run, shard_key__startswith="1:0:"):
            Runner(shard.pk, window_rows=4).advance()
    half = Run.objects.get(parent=run, shard_key="1:1:0")
    work_windows(half, 1)
    run.refresh_from_db()
    if is_old:
        for stored in (run, *run.shard_runs.all()):
            in_the_old_form(stored)
    stages_are("adbce")
    Run.objects.filter(pk=run.pk).update(not_before=None)
    run = run_here(run, window_rows=4)
    assert (run.status, run.error_message) == (RunStatus.SUCCEEDED, "")
    assert scopes_left() == ""
    assert (run.counts[TABLE], run.total_counts[TABLE]) == (50, 50)
    assert not run.shard_runs.filter(is_gathered=False).exists()


@on_every_engine
def test_a_setting_that_adds_a_stage_does_not_move_the_others(
    engine: EngineDatabase, make_tokens: Callable[..., Any]
) -> None:
    """REFRESH_TOKEN_EXPIRE_SECONDS puts a stage before all others of clear_expired."""
    application = make_tokens(expired=20, live=1)
    user, long_ago = make_user("ann"), timezone.now() - timedelta(days=9)
    idle = AccessToken.objects.create(
        token="idle", token_checksum="idle", expires=long_ago, application=application
    )
    RefreshToken.objects.create(
        token="idle", token_checksum="idle", application=application, access_token=idle, user=user
    )
    Grant.objects.create(code="over", expires=long_ago, application=application, user=user)
    run = runs.enqueue("clear_expired")
    seen: list[Run] = []

    def is_in_the_middle() -> bool:
        return bool(seen) and seen[-1].rows >= 8

    Runner(run.pk, window_rows=4, must_stop=is_in_the_middle, on_window=seen.append).advance()
    run.refresh_from_db()
    assert run.status == RunStatus.INTERRUPTED
    assert 8 <= run.rows < 20
    with override_settings(OAUTH2_PROVIDER={"REFRESH_TOKEN_EXPIRE_SECONDS": 3600}):
        run = run_here(run, window_rows=4)
    assert run.status == RunStatus.SUCCEEDED
    assert not RefreshToken.objects.exists()
    assert not Grant.objects.exists()
    assert (
        AccessToken.objects.count() <= 2
    )  # the live one, and maybe one freed behind the cursor: the next run's
    assert run.rows == 24 - AccessToken.objects.count()
