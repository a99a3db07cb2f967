"""Run now: the arguments of an operation, then a run of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from .. import runs
from ..exceptions import InvalidArguments, UnknownOperation
from ..forms import run_now_form
from ..models import Trigger
from ..operations import get_operation
from ..permissions import may_run
from .base import Pages, back_to_runs, url_of


class RunNowPages(Pages):
    """Under the runs' URL: run/<operation>/."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.run_now_view)
        return [path("run/<str:operation>/", view, name="maintenance_run_now"), *super().get_urls()]

    def run_now_view(self, request: HttpRequest, operation: str) -> HttpResponse:
        """Ask for the arguments, and on POST have the operation run."""
        try:
            kind = get_operation(operation)
        except UnknownOperation as unknown:
            return back_to_runs(request, str(unknown))
        if not may_run(request.user, kind):
            raise PermissionDenied
        form = run_now_form(kind, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                return self._request_run(request, operation, dict(form.cleaned_data))
            except InvalidArguments as invalid:
                form.add_error(None, str(invalid))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "operation": kind,
            "form": form,
            "title": kind.title,
        }
        return TemplateResponse(request, "admin/maintenance/run/run_now.html", context)

    def _request_run(self, request: HttpRequest, operation: str, values: dict[str, Any]) -> HttpResponse:
        reason = values.pop("reason", "")
        run = runs.request_run(
            operation,
            {name: value for name, value in values.items() if value not in (None, "")},
            trigger=Trigger.ADMIN,
            requested_by=request.user,
            reason=reason,
        )
        if run.is_new:  # type: ignore[attr-defined]
            messages.success(request, _("The run is enqueued."))
        else:
            messages.warning(request, _("This run of the same work is active already."))
        return HttpResponseRedirect(url_of(run))
