"""Endpoints for probes, monitoring and the export of the audit trail. They say no more than the caller may know."""

from __future__ import annotations

from http import HTTPStatus

from django.db import Error
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from . import audit
from .forms import AuditFilterForm
from .health import Status, current_health
from .metrics import CONTENT_TYPE, MetricsUnavailable, render_metrics
from .models import AuditAction
from .permissions import may_view
from .readiness import find_unreadiness
from .settings import maintenance_settings

EXPORTS = {
    "csv": (audit.export_csv, "text/csv; charset=utf-8", "audit.csv"),
    "jsonl": (audit.export_json_lines, "application/jsonl", "audit.jsonl"),
}


@method_decorator(never_cache, name="dispatch")
class LiveView(View):
    """The process answers. Asks neither the database nor the broker: a restart would mend neither."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse({"status": "live"})


@method_decorator(never_cache, name="dispatch")
class ReadyView(View):
    """The database answers and is migrated: 200, else 503 with the reason."""

    def get(self, request: HttpRequest) -> HttpResponse:
        reason = find_unreadiness()
        if reason is None:
            return JsonResponse({"status": "ready"})
        return JsonResponse({"status": "not ready", "reason": reason}, status=HTTPStatus.SERVICE_UNAVAILABLE)


@method_decorator(never_cache, name="dispatch")
class HealthView(View):
    """The health of the site's maintenance: 503 where it is unhealthy, else 200.

    Whoever may not see more is told the status alone.
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        health = current_health()
        content = health.to_json() if may_monitor(request) else {"status": str(health.status)}
        is_unhealthy = health.status == Status.UNHEALTHY
        return JsonResponse(content, status=HTTPStatus.SERVICE_UNAVAILABLE if is_unhealthy else HTTPStatus.OK)


@method_decorator(never_cache, name="dispatch")
class MetricsView(View):
    """Figures in the text format of Prometheus, read from the database now. Needs the extra `prometheus`."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not may_monitor(request):
            return refuse(request)
        try:
            return HttpResponse(render_metrics(), content_type=CONTENT_TYPE)
        except MetricsUnavailable as unavailable:
            return _plain(str(unavailable), HTTPStatus.NOT_IMPLEMENTED)
        except Error as error:
            message = f"The database cannot be asked ({type(error).__name__})."
            return _plain(message, HTTPStatus.SERVICE_UNAVAILABLE)


@method_decorator(never_cache, name="dispatch")
class AuditExportView(View):
    """The audit trail as CSV or JSON lines, as its filters have it, streamed. The export is audited itself."""

    def get(self, request: HttpRequest, form: str) -> HttpResponseBase:
        user = getattr(request, "user", None)
        if user is None or not user.has_perm("maintenance.view_auditevent"):
            if getattr(user, "is_staff", False):  # the trail is no place that any user can fill
                with audit.origin_of(request):
                    audit.record(AuditAction.PERMISSION_REFUSED, target="export of the audit trail")
            return refuse(request)
        if form not in EXPORTS:
            raise Http404(f"There are: {', '.join(EXPORTS)}.")
        filters = AuditFilterForm(request.GET)
        if not filters.is_valid():
            return JsonResponse({"errors": filters.errors}, status=HTTPStatus.BAD_REQUEST)
        export, content_type, name = EXPORTS[form]
        with audit.origin_of(request):
            audit.record(AuditAction.EXPORTED, target=name, effect={"filters": filters.given()})
        response = StreamingHttpResponse(export(filters.filter().events()), content_type=content_type)
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


def may_monitor(request: HttpRequest) -> bool:
    """Tell whether the caller may see figures: by MONITORING_TOKEN as a bearer token, or as who may see runs."""
    token: str | None = maintenance_settings.MONITORING_TOKEN
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if token and scheme.lower() == "bearer" and constant_time_compare(given.strip(), str(token)):
        return True
    try:
        user = getattr(request, "user", None)
        return user is not None and user.is_active and may_view(user)
    except Error:  # the session cannot be read: then nobody is anybody
        return False


def refuse(request: HttpRequest) -> HttpResponse:
    """Return 401 to who has not said who they are (RFC 6750 section 3), 403 to who may not."""
    try:
        user = getattr(request, "user", None)
        is_known = user is not None and user.is_authenticated
    except Error:
        is_known = False
    if is_known:
        return _plain("Not allowed.", HTTPStatus.FORBIDDEN)
    response = _plain("Send the monitoring token as a bearer token, or log in.", HTTPStatus.UNAUTHORIZED)
    response["WWW-Authenticate"] = 'Bearer realm="maintenance"'
    return response


def _plain(text: str, status: HTTPStatus) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
