"""The switch that holds all hygiene work: asked for with a reason, confirmed, by POST."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from .. import runs
from ..audit import origin_of
from ..models import MaintenanceSwitch
from ..permissions import may_hold
from .base import Pages, refuse


class SwitchForm(forms.Form):
    """Why all hygiene work is held, or released."""

    reason = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Every run that waits shows it, and the audit trail keeps it."),
    )


class SwitchPages(Pages):
    """Under the dashboard's URL: switch/."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.switch_view)
        return [path("switch/", view, name="maintenance_switch"), *super().get_urls()]

    def switch_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for the reason; on POST hold all hygiene work, or release it where it is held."""
        if not may_hold(request.user):
            refuse(request, "hold or release all hygiene work")
        held = MaintenanceSwitch.find_hold()
        form = SwitchForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            return self._turn(request, form.cleaned_data["reason"])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Release hygiene work?") if held else _("Hold all hygiene work?"),
            "held": held,
            "form": form,
        }
        return TemplateResponse(request, "admin/maintenance/switch.html", context)

    def _turn(self, request: HttpRequest, reason: str) -> HttpResponse:
        """Do what the page said: it may be out of date, and a second click must not undo the first."""
        actor = request.user.get_username()
        if request.POST.get("to") == "release":
            with origin_of(request):
                runs.release_all(actor, reason)
            messages.success(request, _("Hygiene work is released; what waited goes on."))
        else:
            with origin_of(request):
                runs.hold_all(actor, reason)
            messages.success(request, _("All hygiene work is held. Runs stop after their window."))
        return HttpResponseRedirect(reverse("admin:maintenance_dashboard_changelist"))
