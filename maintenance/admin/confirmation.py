"""From a preview to a run: the page that shows it, and the POST that confirms it.

The preview travels signed in the page; what is confirmed runs with its arguments, if the numbers still hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import apps
from django.contrib import messages
from django.contrib.admin.sites import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from .. import runs
from ..audit import record
from ..exceptions import InvalidArguments, RunNotStored
from ..forms import ConfirmForm
from ..models import AuditAction, Run, RunEvent, Trigger
from ..operations import Operation, Preview
from ..operations.base import Inexact
from ..operations.fields import KeyField
from ..previews import (
    PreviewExpired,
    PreviewForged,
    differs,
    expected_seconds,
    preview_of,
    read_signed,
    signed,
)
from ..words import name_in_words, seconds_in_words
from .arguments import arguments_in_words
from .base import url_of

NAMES_SHOWN = 10
TEMPLATE = "admin/maintenance/run/preview.html"


def show_preview(
    request: HttpRequest,
    site: AdminSite,
    operation: Operation,
    works: Sequence[Mapping[str, Any]],
    *,
    preview: Preview | None = None,
    reason: str = "",
    form: ConfirmForm | None = None,
) -> HttpResponse:
    """Return the page with what runs of `operation` with each of `works` would do, and a button to confirm it.

    `form` is one that was filled in and does not do, `reason` what else stands in it.
    """
    if preview is None:
        preview = preview_of(operation, works)
        record(
            AuditAction.RUN_PREVIEWED,
            operation=operation.name,
            effect={"works": list(works), "counts": preview.counts, **_doubts(preview)},
        )
    tables = _lines(preview, preview.counts, table_title)
    reasons = _lines(preview, preview.reasons, name_in_words)
    context = {
        **site.each_context(request),
        "opts": Run._meta,
        "title": _("Preview: %(title)s") % {"title": operation.title},
        "operation": operation,
        "works": [arguments_in_words(operation, arguments, longest=NAMES_SHOWN) for arguments in works],
        "subjects": _subjects(operation, works),
        "preview": preview,
        "tables": tables,
        "reasons": reasons if reasons != tables else [],
        "kept": [(name_in_words(name), f"{rows:,}") for name, rows in preview.kept.items()],
        "samples": [(table_or_stage_title(name), keys) for name, keys in preview.samples.items()],
        "signed": signed(operation, works, preview, user=request.user),
        "takes": _takes(expected_seconds(operation, preview), preview),
        "form": form or ConfirmForm(word=_word(operation, works), initial={"reason": reason}),
    }
    return TemplateResponse(request, TEMPLATE, context)


def confirm(request: HttpRequest, site: AdminSite, operation: Operation) -> HttpResponse:
    """Have what the posted preview shows run, unless it is too old or the numbers are others by now."""
    reason = request.POST.get("reason", "")
    try:
        confirmed = read_signed(request.POST.get("preview", ""), operation, user=request.user)
    except PreviewExpired as expired:
        messages.warning(request, str(expired))
        return show_preview(request, site, operation, expired.works, reason=reason)
    except PreviewForged as forged:
        messages.error(request, str(forged))
        return HttpResponseRedirect(reverse("admin:maintenance_run_now", args=[operation.name]))
    preview = preview_of(operation, confirmed.works)
    if differs(confirmed.preview, preview):
        messages.warning(request, _changed(confirmed.preview, preview))
        return show_preview(request, site, operation, confirmed.works, preview=preview, reason=reason)
    form = ConfirmForm(request.POST, word=_word(operation, confirmed.works))
    if not form.is_valid():
        messages.error(request, _("Nothing runs yet: something is missing below."))
        return show_preview(request, site, operation, confirmed.works, preview=preview, form=form)
    return start(
        request, operation, confirmed.works, reason=form.cleaned_data["reason"], preview=confirmed.preview
    )


def start(
    request: HttpRequest,
    operation: Operation,
    works: Sequence[Mapping[str, Any]],
    *,
    reason: str,
    preview: Preview | None = None,
) -> HttpResponse:
    """Request a run for each of `works` and go to its page, or to the list of runs where there are several."""
    try:
        started = [
            runs.request_run(
                operation.name, arguments, trigger=Trigger.ADMIN, requested_by=request.user, reason=reason
            )
            for arguments in works
        ]
    except (InvalidArguments, RunNotStored) as invalid:
        messages.error(request, str(invalid))
        return HttpResponseRedirect(reverse("admin:maintenance_run_now", args=[operation.name]))
    if preview is not None:
        _note_preview(request, started[0], preview)
    if len(started) > 1:
        messages.success(request, _("%(count)s runs are enqueued.") % {"count": len(started)})
        return HttpResponseRedirect(
            f"{reverse('admin:maintenance_run_changelist')}?operation={operation.name}"
        )
    if started[0].is_new:  # type: ignore[attr-defined]
        messages.success(request, _("The run is enqueued."))
    else:
        messages.warning(request, _("This run of the same work is active already."))
    return HttpResponseRedirect(url_of(started[0]))


def table_title(table: str) -> str:
    """Return what the rows of `table` are called, or its own name where no model is known."""
    for model in apps.get_models():
        if model._meta.db_table == table and not model._meta.proxy:
            return name_in_words(str(model._meta.verbose_name_plural))
    return table


def table_or_stage_title(name: str) -> str:
    """Return the name of a table or of a stage as words."""
    title = table_title(name)
    return name_in_words(name) if title == name else title


def _lines(preview: Preview, rows: Mapping[str, int], title: Any) -> list[tuple[str, str]]:
    """Return what there is to show: names that have no rows for certain only where no name has any."""
    shown = [name for name in rows if rows[name] or name in preview.inexact] or list(rows)
    return [(title(name), preview.shown(name)) for name in shown]


def _subjects(operation: Operation, works: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the rows whose keys are among the arguments, where those are few."""
    names: list[str] = []
    for name, field in operation.form_class.base_fields.items():
        if not isinstance(field, KeyField):
            continue
        given = [work[name] for work in works if name in work]
        keys = [key for value in given for key in (value if isinstance(value, list) else [value])]
        names += [str(row) for row in field.model()._base_manager.filter(pk__in=keys[:NAMES_SHOWN])]
        names += [f"… ({len(keys)})"] if len(keys) > NAMES_SHOWN else []
    return names


def _note_preview(request: HttpRequest, run: Run, preview: Preview) -> None:
    text = _("confirmed after a preview of %(rows)s rows") % {"rows": preview.total}
    runs.note(run, RunEvent.Kind.NOTE, text=text, actor=request.user.get_username())


def _word(operation: Operation, works: Sequence[Mapping[str, Any]]) -> str:
    """Return what has to be typed to confirm `works`; "" where a click will do."""
    return next((word for work in works if (word := operation.word_to_type(work))), "")


def _takes(seconds: float | None, preview: Preview) -> str | None:
    """Return how long the work would take, in words; None where nobody can tell."""
    if seconds is None:
        return None
    text = _("at least %(span)s") if Inexact.AT_LEAST in preview.inexact.values() else _("about %(span)s")
    return text % {"span": seconds_in_words(seconds)}


def _doubts(preview: Preview) -> dict[str, Any]:
    """Return what the audit trail says of numbers that are no counts."""
    doubts = {name: str(doubt) for name, doubt in preview.inexact.items() if name in preview.counts}
    return {"inexact": doubts} if doubts else {}


def _changed(before: Preview, now: Preview) -> str:
    changes = ", ".join(
        f"{table_title(table)}: {before.shown(table)} → {now.shown(table)}"
        for table in sorted(before.counts.keys() | now.counts.keys())
        if before.shown(table) != now.shown(table)
    )
    return _("The numbers have changed since you looked (%(changes)s). Nothing runs yet: look again.") % {
        "changes": changes
    }
