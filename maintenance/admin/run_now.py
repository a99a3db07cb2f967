"""Run now: the arguments of an operation, a preview of what it would do, then a run of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from ..audit import origin_of
from ..exceptions import InvalidArguments, UnknownOperation
from ..forms import run_now_form
from ..operations import Operation, get_operation
from ..permissions import may_run
from .base import Pages, back_to_runs, refuse
from .confirmation import confirm, show_preview, start


class RunNowPages(Pages):
    """Under the runs' URL: run/<operation>/.

    `?preview` with arguments leads straight to their preview; other arguments in the query fill the form.
    """

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.run_now_view)
        return [path("run/<str:operation>/", view, name="maintenance_run_now"), *super().get_urls()]

    def run_now_view(self, request: HttpRequest, operation: str) -> HttpResponse:
        """Ask for the arguments; show what would be done with them; have a confirmed preview run."""
        try:
            kind = get_operation(operation)
        except UnknownOperation as unknown:
            return back_to_runs(request, str(unknown))
        if not may_run(request.user, kind):
            refuse(request, "run", operation=kind.name)
        with origin_of(request):
            if request.method == "POST" and "confirm" in request.POST:
                return confirm(request, self.admin_site, kind)
            return self._ask(request, kind)

    def _ask(self, request: HttpRequest, operation: Operation) -> HttpResponse:
        data = _given(request)
        form = run_now_form(operation, data, site=self.admin_site, initial=request.GET.dict())
        arguments = _arguments(operation, form) if data is not None and form.is_valid() else None
        if arguments is None:
            return self._show_form(request, operation, form)
        reason = form.cleaned_data["reason"]
        if "run" in request.POST and not operation.is_destructive and not operation.word_to_type(arguments):
            return start(request, operation, [arguments], reason=reason)
        return show_preview(request, self.admin_site, operation, [arguments], reason=reason)

    def _show_form(self, request: HttpRequest, operation: Operation, form: forms.Form) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "operation": operation,
            "form": form,
            "media": self.media + form.media,
            "title": operation.title,
        }
        return TemplateResponse(request, "admin/maintenance/run/run_now.html", context)


def _given(request: HttpRequest) -> Any:
    """Return what was filled in; None where nobody has yet."""
    if request.method == "POST":
        return request.POST
    return request.GET if "preview" in request.GET else None


def _arguments(operation: Operation, form: forms.Form) -> dict[str, Any] | None:
    """Return the canonical arguments; None, with the errors in `form`, where they do not fit together."""
    names = operation.form_class.base_fields
    values = {name: value for name, value in form.cleaned_data.items() if name in names}
    try:
        return operation.clean({name: value for name, value in values.items() if value not in (None, "")})
    except InvalidArguments as invalid:
        form.add_error(None, str(invalid))
        return None
