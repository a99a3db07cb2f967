"""A site with admins of its own for users and applications, registered after everything else."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import path
from django.utils.html import format_html

from maintenance.admin import extend_site_later
from oauth2_provider.models import get_application_model
from tests import urls

site = admin.AdminSite(name="admin")
extend_site_later(site)


class OwnUserAdmin(admin.ModelAdmin):
    list_display = ("username", "shout")
    actions = ("greet",)
    fields = ("username",)
    change_form_template = ["no/such/template.html", "own/change_form.html"]

    def shout(self, user: Any) -> str:
        return format_html("{}!", user.username)

    @admin.action(description="Greet")
    def greet(self, request: Any, queryset: Any) -> None:
        self.message_user(request, f"Hello {queryset.count()}")


class OwnApplicationAdmin(admin.ModelAdmin):
    fields = ("name",)
    list_filter = ("client_type",)


for model, model_admin in admin.site._registry.items():
    if model not in (get_user_model(), get_application_model()):
        site.register(model, type(model_admin))
site.register(get_user_model(), OwnUserAdmin)
site.register(get_application_model(), OwnApplicationAdmin)

urlpatterns = [path("admin/", site.urls), *urls.urlpatterns[1:]]
