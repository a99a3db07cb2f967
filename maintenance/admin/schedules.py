"""Schedules in django-celery-beat's own admin: their meaning in words, what is wrong with them, arguments checked.

Beat takes any task name and any text for arguments, turns off what it cannot read, and says so in its log alone. Here
an entry of ours is checked against its operation before it is stored.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import tasks, timetable
from ..audit import origin_of, record
from ..exceptions import InvalidArguments, UnknownOperation
from ..models import AuditAction, Run, Trigger
from ..operations import Operation, get_operation
from ..permissions import may_run
from .base import find_operation, note_refusal, refuse
from .extend import Tools

STOCK_COLUMNS = ("name", "enabled", "scheduler", "interval", "start_time", "last_run_at", "one_off")
COLUMNS = ("name", "maintenance_state", "maintenance_when", "maintenance_next", "maintenance_last")
NEXT_TIMES = 3
GUARDED_ACTIONS = ("enable_tasks", "disable_tasks", "toggle_tasks", "run_tasks", "delete_selected")
PARTS = (gettext_lazy("Start date"), gettext_lazy("Start time"))
"""Names of the two fields of one date, which the admin gives one label and an empty one."""


class ScheduleForm(forms.BaseModelForm):
    """Mixed in before the form of the admin: what it accepts, beat can read and the operation takes."""

    maintenance_request: HttpRequest

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        start = self.fields.get("start_time")
        for part, label in zip(getattr(getattr(start, "widget", None), "widgets", ()), PARTS, strict=False):
            part.attrs.setdefault("aria-label", label)

    def clean(self) -> Any:
        values = super().clean()
        before = find_operation(timetable.operation_name(self.instance) or "") if self.instance.pk else None
        self._refuse_others(before)
        given = self.cleaned_data if values is None else values
        positional, keywords = self._json(given, "args", list), self._json(given, "kwargs", dict)
        self._json(given, "headers", dict)
        task = given.get("task") or ""
        if not task.startswith(timetable.TASKS) or positional is None or keywords is None:
            return values
        field = "args" if positional and not keywords else "kwargs"
        try:
            operation = check_arguments(task, positional, keywords)
        except UnknownTask as unknown:
            self._complain("task", str(unknown))
        except UnknownOperation as unknown:
            self._complain(field, str(unknown))
        except InvalidArguments as invalid:
            self._complain(field, _("The operation refuses these arguments. %(why)s") % {"why": invalid})
        else:
            self._refuse_others(operation if operation is not before else None)
        return values

    def _json(self, given: Mapping[str, Any], name: str, kind: type) -> Any:
        """Return the value of the JSON field `name`, or None with a complaint where it is of another kind."""
        if name not in given:
            return kind() if name not in self.errors else None
        value = timetable.read_json(given[name], default=kind())
        if isinstance(value, kind):
            return value
        if kind is list:
            self._complain(name, _('Give a JSON list, such as ["a", 1].'))
        else:
            self._complain(name, _('Give a JSON object, such as {"days": 30}.'))
        return None

    def _refuse_others(self, operation: Operation | None) -> None:
        """A schedule is a run that somebody else starts: it takes the permission to run the operation."""
        if operation is not None and not may_run(self.maintenance_request.user, operation):
            target = f"schedule {self.cleaned_data.get('name') or self.instance.name}"
            note_refusal(self.maintenance_request, target, operation=operation.name)
            text = _("You have no permission to have %(operation)s run, and so none to schedule it.")
            self._complain(None, text % {"operation": operation.title})

    def _complain(self, name: str | None, text: str) -> None:
        self.add_error(name if name in self.fields else None, text)


class SchedulesInWords(Tools):
    """Mixed into the admin of periodic tasks."""

    maintenance_template = "admin/maintenance/with_schedule.html"

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (ScheduleForm, form), {"maintenance_request": request})

    def get_list_display(self, request: HttpRequest) -> Any:
        columns = tuple(super().get_list_display(request))
        if columns == STOCK_COLUMNS:
            return COLUMNS
        return (*columns, *(name for name in COLUMNS if name.startswith("maintenance_")))

    def maintenance_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        operation = find_operation(timetable.operation_name(obj) or "")
        return {
            "schedule_operation": operation,
            "schedule_words": timetable.in_words(obj),
            "schedule_next": [_shown(time) for time in timetable.next_times(obj, count=NEXT_TIMES)],
            "schedule_warnings": [*_problems(obj), *timetable.clock_change_warnings(obj)],
            **super().maintenance_context(request, obj),
        }

    @property
    def media(self) -> forms.Media:
        return super().media + forms.Media(
            css={"all": ["maintenance/maintenance.css", "maintenance/schedules.css"]}
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        effect = {"changed": sorted(form.changed_data) if change else ["*"]}
        _record(request, obj, effect)
        for warning in timetable.clock_change_warnings(obj):
            messages.warning(request, warning)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """To delete an entry is to disable it for good: it takes the same permission."""
        return bool(super().has_delete_permission(request, obj)) and (
            obj is None or _may_schedule(request.user, obj)
        )

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        entry = self.get_object(request, object_id)
        if entry is not None and request.method == "POST" and not _may_schedule(request.user, entry):
            refuse(
                request,
                f"delete schedule {entry.name}",
                operation=timetable.operation_name(entry) or "",
            )
        return super().delete_view(request, object_id, extra_context)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        _record(request, obj, {"changed": ["deleted"]})
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for entry in queryset:
            _record(request, entry, {"changed": ["deleted"]})
        super().delete_queryset(request, queryset)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Let nobody enable, disable, run or delete by an action of the list what they may not have run."""
        action = request.POST.get("action", "")
        if action not in GUARDED_ACTIONS:
            return super().response_action(request, queryset, *args, **kwargs)
        chosen = list(queryset.filter(pk__in=request.POST.getlist("_selected_action")))
        if request.POST.get("select_across") == "1":
            chosen = list(queryset)
        if refused := [entry for entry in chosen if not _may_schedule(request.user, entry)]:
            names = ", ".join(entry.name for entry in refused)
            text = _("You have no permission to have these run, so nothing was done: %(names)s.")
            messages.error(request, text % {"names": names})
            for entry in refused:
                name = timetable.operation_name(entry) or ""
                note_refusal(request, f"{action} {entry.name}", operation=name)
            return None
        if action == "delete_selected":
            return super().response_action(request, queryset, *args, **kwargs)
        for entry in chosen:
            _record(request, entry, {"changed": [request.POST["action"]]})
        _forget_no_last_run(chosen)
        return super().response_action(request, queryset, *args, **kwargs)

    def maintenance_when(self, entry: Any) -> str:
        return timetable.in_words(entry)

    maintenance_when.short_description = gettext_lazy("when")  # type: ignore[attr-defined]

    def maintenance_next(self, entry: Any) -> SafeString:
        times = timetable.next_times(entry, count=1) if entry.enabled else []
        return _labelled(_("next:"), _shown(times[0]) if times else "-")

    maintenance_next.short_description = gettext_lazy("next")  # type: ignore[attr-defined]

    def maintenance_last(self, entry: Any) -> SafeString:
        last = entry.last_run_at
        return _labelled(_("last sent:"), _shown(last) if last is not None else _("never"))

    maintenance_last.short_description = gettext_lazy("last sent")  # type: ignore[attr-defined]
    maintenance_last.admin_order_field = "last_run_at"  # type: ignore[attr-defined]

    def maintenance_state(self, entry: Any) -> SafeString:
        badge = '<span class="m-badge tone-{}" title="{}">{}</span>'
        if why := timetable.disabled_by_beat(entry):
            return format_html(badge, "bad", why, _("disabled by beat"))
        if since := _overdue_since(entry):
            return format_html(badge, "warn", _shown(since), _("overdue"))
        return format_html(
            badge, "good" if entry.enabled else "quiet", "", _("on") if entry.enabled else _("off")
        )

    maintenance_state.short_description = gettext_lazy("state")  # type: ignore[attr-defined]


class UnknownTask(ValueError):  # noqa: N818 - the fact
    """There is no such task of ours for a schedule."""

    def __init__(self, name: str) -> None:
        known = ", ".join(sorted(_schedulable()))
        text = _("There is no task %(name)s to schedule. There are: %(known)s.")
        super().__init__(text % {"name": name, "known": known})


def check_arguments(task: str, positional: list[Any], keywords: dict[str, Any]) -> Operation | None:
    """Return the operation that `task`, one of ours, has run with these arguments; None for the sweep and its like.

    Raises UnknownTask, UnknownOperation and InvalidArguments.
    """
    known = _schedulable().get(task)
    if known is None:
        raise UnknownTask(task)
    try:
        bound = inspect.signature(known.run).bind(*positional, **keywords)
    except TypeError as error:
        raise InvalidArguments({"": [f"{task}: {error}."]}) from error
    arguments: dict[str, Any] = {}
    for given, value in bound.arguments.items():
        arguments.update(value if given == "arguments" else {given: value})
    is_any = task == f"{timetable.TASKS}run_operation"
    name: str | None = str(arguments.pop("operation")) if is_any else _name_of(task)
    if name is None:
        return None
    operation = get_operation(name)
    operation.clean({key: value for key, value in arguments.items() if value is not None})
    return operation


def _schedulable() -> dict[str, Any]:
    """Return our tasks by name, without the one that works a slice of a run: it needs a run."""
    named = {str(getattr(value, "name", "")): value for value in vars(tasks).values()}
    own = {name: task for name, task in named.items() if name.startswith(timetable.TASKS)}
    return {name: task for name, task in own.items() if name != f"{timetable.TASKS}advance"}


def _name_of(task: str) -> str | None:
    name = task.removeprefix(timetable.TASKS)
    return name if find_operation(name) is not None else None


def _may_schedule(user: Any, entry: Any) -> bool:
    operation = find_operation(timetable.operation_name(entry) or "")
    return operation is None or may_run(user, operation)


def _record(request: HttpRequest, entry: Any, effect: dict[str, Any]) -> None:
    """Put a change of an entry of ours into the audit trail."""
    if not entry.task.startswith(timetable.TASKS):
        return
    values = {"enabled": entry.enabled, "when": timetable.in_words(entry), "arguments": entry.kwargs}
    with origin_of(request):
        record(
            AuditAction.SCHEDULE_CHANGED,
            operation=timetable.operation_name(entry) or "",
            target=entry.name,
            effect={**values, **effect},
        )


def _forget_no_last_run(entries: list[Any]) -> None:
    """Have an entry of ours that is enabled wait for its next time: without a last run beat would fire it at once."""
    keys = [entry.pk for entry in entries if entry.task.startswith(timetable.TASKS) and not entry.enabled]
    if keys:
        type(entries[0]).objects.filter(pk__in=keys, last_run_at=None).update(last_run_at=timezone.now())


def _problems(entry: Any) -> list[str]:
    why, since = timetable.disabled_by_beat(entry), _overdue_since(entry)
    problems = []
    if why:
        problems.append(_("Beat turned this entry off: %(why)s.") % {"why": why})
    if since:
        text = _("Overdue: it was to fire on %(when)s and did not. Is beat running?")
        problems.append(text % {"when": _shown(since)})
    return problems


def _overdue_since(entry: Any) -> datetime | None:
    """Ask the record of runs only where beat's own word says overdue."""
    since = timetable.overdue_since(entry)
    name = timetable.operation_name(entry)
    if since is None or name is None:
        return since
    scheduled = Run.objects.filter(operation=name, trigger=Trigger.SCHEDULE).order_by("-created")
    return timetable.overdue_since(entry, last_run=scheduled.values_list("created", flat=True).first())


def _labelled(label: str, text: str) -> SafeString:
    """Return `text` as a cell of the list; on a phone, where the columns lose their heads, with its label."""
    return format_html('<span class="m-label">{}</span> {}', label, text)


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M %Z}"
