"""What operators do in the admin, on whichever models the site has: run, revoke, protect, remove, restore."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import setup_test_environment, teardown_test_environment
from django.urls import reverse
from django.utils import timezone

from maintenance.models import ArchivedApplication, ProtectedApplication, Run, RunStatus
from maintenance.runner import run_here
from oauth2_provider import models as provider

USERS = "/admin/auth/user/"
INACTIVE = "/admin/maintenance/run/inactive-applications/"


def steer(owner: dict[str, Any]) -> None:
    """Go through every page that does something; `owner` is a user and an application. Raises SystemExit."""
    client = Client()
    client.force_login(User.objects.create_superuser("at the helm"))
    setup_test_environment()  # answers tell what their templates were given
    try:
        clear(client, owner)
        change_scopes(client, owner)
        revoke(client, owner)
        say_what_is_revoked(client)
        clean_up(client)
    finally:
        teardown_test_environment()


def clear(client: Client, owner: dict[str, Any]) -> None:
    gone = token(owner, "over", expires=timezone.now() - timedelta(days=1))
    stays = token(owner, "stays")
    confirm(client, preview(client, "clear_expired"))
    expect([left(gone), left(stays)], [False, True], "run now")


def change_scopes(client: Client, owner: dict[str, Any]) -> None:
    changed = token(owner, "scoped", scope="read")
    confirm(client, preview(client, "migrate_token_scopes", old="read", new="see"))
    changed.refresh_from_db()
    expect(changed.scope, "see", "scopes")


def revoke(client: Client, owner: dict[str, Any]) -> None:
    """From a user's and an application's page, from both lists, and everybody's."""
    application = owner["application"]
    applications = f"/admin/{application._meta.app_label}/{application._meta.model_name}/"
    run_now = reverse("admin:maintenance_run_now", args=["revoke_user_tokens"])
    ways = {
        f"{USERS}{owner['user'].pk}/change/": {"user_id": owner["user"].pk},
        f"{applications}{application.pk}/change/": {"application_id": application.pk},
    }
    for path, arguments in ways.items():
        [(name, key)] = arguments.items()
        link = f"{run_now}?preview=&amp;{name}={key}"
        expect(link in client.get(path).content.decode(), True, f"a link on {path}")
        revoked_by(client, owner, client.get(run_now, {"preview": "", **arguments}))
    for path, row in ((USERS, owner["user"]), (applications, application)):
        data = {"action": "revoke_tokens", "_selected_action": [row.pk]}
        revoked_by(client, owner, client.post(path, data))
    revoked_by(client, owner, preview(client, "revoke_user_tokens", everybody="on"), typed="everybody")


def revoked_by(client: Client, owner: dict[str, Any], page: Any, **typed: str) -> None:
    access_token = token(owner, f"held {Run.objects.count()}")
    refresh_token = provider.get_refresh_token_model().objects.create(
        token=access_token.token, access_token=access_token, **owner
    )
    again = confirm(client, page, run=False, **typed)  # the numbers are others now
    confirm(client, again, **typed)
    refresh_token.refresh_from_db()
    expect([left(access_token), refresh_token.revoked is not None], [False, True], "revoked")


def say_what_is_revoked(client: Client) -> None:
    """The dashboard says it of refresh tokens, and of a model of the site's that keeps revoked rows."""
    lines = client.get("/admin/maintenance/dashboard/").context["tables"]
    known = {line.table for line in lines if line.revoked is not None}
    kept = {provider.get_refresh_token_model()._meta.db_table}
    if "IDToken" in settings.SWAPPED:
        kept.add("house_idtoken")
    expect(known, kept, "revoked on the dashboard")


def clean_up(client: Client) -> None:
    """Protect an application, take that back, have it removed, and restore it with the site's own column."""
    model = provider.get_application_model()
    own = {"tenant": "other"} if "Application" in settings.SWAPPED else {}
    values = {"client_id": "dusty", "name": "Dusty", "client_type": "public", **own}
    dusty = model.objects.create(authorization_grant_type="authorization-code", **values)
    model.objects.filter(pk=dusty.pk).update(created=timezone.now() - timedelta(days=400))
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    for page in (client.get(path, {"inactive": "yes"}), client.get(INACTIVE, {"days": 90})):
        expect("Dusty" in page.content.decode(), True, "among the inactive ones")
    client.post(f"{INACTIVE}protect/", {"client_id": "dusty", "reason": "a friend's"})
    confirm(client, preview(client, "cleanup_inactive_applications"))
    expect(left(dusty), True, "protected")
    client.post(f"{INACTIVE}unprotect/", {"client_id": "dusty"})
    expect(ProtectedApplication.objects.count(), 0, "no longer protected")
    confirm(client, preview(client, "cleanup_inactive_applications"))
    expect(left(dusty), False, "removed")
    archive = ArchivedApplication.objects.get(client_id="dusty")
    url = reverse("admin:maintenance_archivedapplication_change", args=[archive.pk])
    expect(client.get(url).status_code, 200, "the archive's page")
    client.post(
        reverse("admin:maintenance_archivedapplication_restore", args=[archive.pk]), {"reason": "missed"}
    )
    back = model.objects.get(client_id="dusty")
    expect({name: getattr(back, name) for name in values}, values, "restored")


def preview(client: Client, operation: str, **arguments: Any) -> Any:
    """Fill in the form of Run now, and return the preview."""
    url = reverse("admin:maintenance_run_now", args=[operation])
    expect(client.get(url).status_code, 200, f"the form of {operation}")
    return client.post(url, arguments)


def confirm(client: Client, page: Any, *, run: bool = True, **typed: str) -> Any:
    """Confirm the preview `page`; what is enqueued by it is worked here."""
    expect(page.status_code, 200, "a preview")
    operation = page.context["operation"].name
    before = Run.objects.count()
    data = {"confirm": "yes", "preview": page.context["signed"], "reason": "to see", **typed}
    answer = client.post(reverse("admin:maintenance_run_now", args=[operation]), data)
    expect((answer.status_code, Run.objects.count()), (302, before + 1) if run else (200, before), operation)
    if run:
        done = run_here(Run.objects.latest("created"))
        expect((done.status, done.error_message), (RunStatus.SUCCEEDED, ""), operation)
    return answer


def token(owner: dict[str, Any], text: str, **values: Any) -> Any:
    values = {"expires": timezone.now() + timedelta(days=1), **values}
    return provider.get_access_token_model().objects.create(token=text, **values, **owner)


def left(row: Any) -> bool:
    return bool(type(row)._base_manager.filter(pk=row.pk).exists())


def expect(found: Any, wanted: Any, what: str) -> None:
    if found != wanted:
        raise SystemExit(f"{what}: {found!r}, not {wanted!r}")
