"""Adds to model admins that are somebody else's: the site's own for users, applications, schedules.

It happens when the admin's URLs are made, which is after every app has registered what it wants: whichever
ModelAdmin stands then is given one more base class, and keeps all it had.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin.sites import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.loader import select_template
from django.template.response import TemplateResponse

from .base import Pages

Extension = tuple[Callable[[], Any], type]
"""A function that returns the model, and what its ModelAdmin becomes besides."""


def extend_later(site: AdminSite, *extensions: Extension) -> None:
    """Have the model admins of `site` extended as soon as their URLs are made."""
    make_urls = site.get_urls

    def get_urls() -> list[Any]:
        for find_model, addition in extensions:
            extend(site, find_model(), addition)
        return make_urls()

    site.get_urls = get_urls  # type: ignore[method-assign]


def extend(site: AdminSite, model: Any, addition: type) -> None:
    """Give the ModelAdmin of `model` on `site` the base class `addition`; nothing where there is none, or it has it."""
    model_admin = site._registry.get(model)
    if model_admin is None or isinstance(model_admin, addition):
        return
    own = type(model_admin)
    model_admin.__class__ = type(own.__name__, (addition, own), {"__module__": own.__module__})


class Tools(Pages):
    """Adds to a change page, whatever template the page has: links beside History, and what a subclass shows.

    The page is rendered by `maintenance_template`, which extends the one that it had.
    """

    maintenance_template = "admin/maintenance/with_tools.html"

    def maintenance_tools(self, request: HttpRequest, obj: Any) -> list[tuple[str, Any]]:
        """Return the address and the text of each link."""
        return []

    def maintenance_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Return what the template shows; empty where it shows nothing."""
        tools = self.maintenance_tools(request, obj)
        return {"maintenance_tools": tools} if tools else {}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response = super().render_change_form(request, context, *args, **kwargs)
        obj = kwargs.get("obj")
        added = self.maintenance_context(request, obj) if obj is not None else {}
        if not added or not isinstance(response, TemplateResponse):
            return response
        names = response.template_name
        parent = select_template([names] if isinstance(names, str) else list(names))  # type: ignore[arg-type]
        response.template_name = self.maintenance_template
        response.context_data = {**(response.context_data or {}), **added, "tools_parent": parent}
        return response
