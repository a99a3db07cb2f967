"""Make the site's migrations, migrate, and use every model once. Prints each model's table as JSON.

`house/` must be writable: run it from a copy.
"""

from __future__ import annotations

import json
import sys
import uuid
from datetime import timedelta
from io import StringIO

import django
from celery import Celery

django.setup()
Celery(
    broker="memory://"
).set_default()  # nobody listens at Celery's own default, which takes a while to find

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.test import Client, RequestFactory, override_settings  # noqa: E402
from django.utils import timezone  # noqa: E402
from steering import steer  # noqa: E402

from maintenance.health import collect_health  # noqa: E402
from maintenance.metrics import render_metrics  # noqa: E402
from maintenance.models import Run, RunStatus, Trigger  # noqa: E402
from maintenance.runner import run_here  # noqa: E402
from maintenance.runs import request_run  # noqa: E402
from maintenance.snapshots import take_snapshot_if_due  # noqa: E402
from maintenance.statistics import token_models  # noqa: E402
from oauth2_provider import models as provider  # noqa: E402
from oauth2_provider.decorators import protected_resource  # noqa: E402
from oauth2_provider.flows import client_secrets  # noqa: E402
from oauth2_provider.middleware import OAuth2ExtraTokenMiddleware  # noqa: E402


def main() -> None:
    call_command("makemigrations", "house", verbosity=0)
    call_command("migrate", verbosity=0)
    output = StringIO()
    call_command("makemigrations", check_changes=True, stdout=output)
    tables = {name: model._meta.db_table for name, model in use_models().items()}
    json.dump({"tables": tables, "changes": output.getvalue().strip()}, sys.stdout)


def use_models() -> dict:
    """Create one row of each model, revoke a token, run each operation; returns the models by name."""
    now = timezone.now()
    user = User.objects.create(username="ann")
    application_model = provider.get_application_model()
    application = application_model.objects.create(
        user=user, client_type="public", authorization_grant_type="authorization-code"
    )
    owner = {"user": user, "application": application}
    past, future = now - timedelta(days=1), now + timedelta(days=1)
    id_token = provider.get_id_token_model().objects.create(expires=future, **owner)
    access_token = provider.get_access_token_model().objects.create(
        token="live", expires=future, id_token=id_token, **owner
    )
    refresh_token = provider.get_refresh_token_model().objects.create(
        token="refresh", access_token=access_token, token_family=uuid.uuid4(), **owner
    )
    grant = provider.get_grant_model().objects.create(code="c", expires=past, **owner)
    device_grant = provider.get_device_grant_model().objects.create(device_code="d", expires=past, user=user)
    request = provider.get_par_request_model().objects.create(request_uri="urn:x", expires=past)
    refresh_token.revoke_family(refresh_token.token_family)
    run("clear_expired")
    left = [
        type(row)._base_manager.filter(pk=row.pk).count()
        for row in (access_token, grant, device_grant, request)
    ]
    if left != [0, 0, 0, 0]:
        raise SystemExit(f"left behind: {left}")
    use_pages(owner)
    connect_a_device(owner)
    guard_a_resource(owner)
    register_a_client()
    use_admin(owner)
    use_dashboard()
    work_on_users_tokens(owner)
    steer(owner)
    watch_over_it()
    rows = (application, id_token, access_token, refresh_token, grant, device_grant, request)
    return {type(row).__name__: type(row) for row in rows}


def watch_over_it() -> None:
    """Look at the health, scrape the metrics, take the hour's figures."""
    health = collect_health()
    tables = {model._meta.db_table for model in token_models()}
    if health.is_partial or set(health.checks["backlog"]) != tables:
        raise SystemExit(f"health: {health}")
    names = {snapshot.table for snapshot in take_snapshot_if_due()}
    names_later = {snapshot.table for snapshot in take_snapshot_if_due(timezone.now() + timedelta(hours=1))}
    if names != tables or names_later != tables:
        raise SystemExit(f"snapshots of {names} and {names_later}, not {tables}")
    metrics = render_metrics().decode()
    if not all(f'maintenance_rows_removed_total{{table="{table}"}}' in metrics for table in tables):
        raise SystemExit("metrics without a table")


def use_pages(owner: dict) -> None:
    """Register, look at, edit and delete an application, and revoke a token, as a user does."""
    access_token = provider.get_access_token_model().objects.create(
        token="seen", scope="read", expires=timezone.now() + timedelta(days=1), **owner
    )
    client = Client()
    client.force_login(owner["user"])
    values = {"client_type": "public", "authorization_grant_type": "password", "name": "by hand"}
    pages = [client.post("/o/applications/register/", values)]
    made = provider.get_application_model().objects.get(name="by hand")
    own = f"/o/applications/{made.pk}/"
    pages += [
        client.get(path) for path in ("/o/applications/", own, f"{own}update/", "/o/authorized_tokens/")
    ]
    pages += [client.post(f"{own}update/", values), client.post(f"{own}delete/")]
    pages += [client.post(f"/o/authorized_tokens/{access_token.pk}/delete/", {"everything": "on"})]
    statuses = [page.status_code for page in pages]
    if statuses != [302, 200, 200, 200, 200, 302, 302, 302]:
        raise SystemExit(f"pages: {statuses}")
    for row in (made, access_token):
        if type(row).objects.filter(pk=row.pk).exists():
            raise SystemExit(f"still there: {row}")


def connect_a_device(owner: dict) -> None:
    """Go through the device flow and take up a pushed authorization request."""
    client = Client()
    client.force_login(owner["user"])
    named = {"client_id": "a device"}
    device = provider.get_application_model().objects.create(
        **named,
        client_type="public",
        authorization_grant_type="urn:ietf:params:oauth:grant-type:device_code",
    )
    started = client.post("/o/device-authorization/", named).json()
    entered = client.post("/o/device/", {"user_code": started["user_code"]})
    said = client.post(entered["Location"], {"action": "accept"})
    poll = {**named, "device_code": started["device_code"], "grant_type": device.authorization_grant_type}
    statuses = [client.get(said["Location"]).status_code]
    statuses += [client.post("/o/token/", poll).status_code for _ in range(2)]
    device.authorization_grant_type, device.redirect_uris = "authorization-code", "https://x.example/"
    device.save()
    challenge = {"code_challenge": "x" * 43, "code_challenge_method": "S256", "response_type": "code"}
    pushed = client.post("/o/par/", {**named, **challenge})
    query = {**named, "request_uri": pushed.json()["request_uri"]}
    statuses += [pushed.status_code, client.get("/o/authorize/", query).status_code]
    if statuses != [200, 200, 400, 201, 200]:
        raise SystemExit(f"device: {statuses}")
    device.delete()


def guard_a_resource(owner: dict) -> None:
    """Register a client from the command line, and let its token in where a decorator and the middleware ask."""
    call_command("createapplication", "confidential", "client-credentials", name="Nightly", stdout=StringIO())
    nightly = provider.get_application_model().objects.get(name="Nightly")
    access_token = provider.get_access_token_model().objects.create(
        token="nightly",
        scope="read",
        expires=timezone.now() + timedelta(days=1),
        user=owner["user"],
        application=nightly,
    )
    request = RequestFactory().get("/", headers={"authorization": "Bearer nightly"})
    answer = OAuth2ExtraTokenMiddleware(protected_resource(scopes=["read"])(lambda request: HttpResponse()))(
        request
    )
    if (answer.status_code, request.access_token, request.resource_owner) != (
        200,
        access_token,
        owner["user"],
    ):
        raise SystemExit(f"not let in: {answer.status_code}")
    nightly.delete()


def register_a_client() -> None:
    """Let a client register itself, read, change and end its registration; clear clients of stale documents."""
    opened = {
        "DCR_ENABLED": True,
        "DCR_REGISTRATION_PERMISSION_CLASSES": ["oauth2_provider.dcr.AllowAllDCRPermission"],
    }
    document = {"redirect_uris": ["https://client.example/"], "grant_types": ["authorization_code"]}
    client = Client()
    json_body = {"content_type": "application/json"}
    with override_settings(OAUTH2_PROVIDER=opened):
        answers = [client.post("/o/register/", document, **json_body)]
        told = answers[0].json()
        uri = told["registration_client_uri"]
        headers = {"authorization": f"Bearer {told['registration_access_token']}"}
        answers.append(client.get(uri, headers=headers))
        document["client_id"] = told["client_id"]
        answers.append(client.put(uri, document, headers=headers, **json_body))
        headers = {"authorization": f"Bearer {answers[-1].json()['registration_access_token']}"}
        answers.append(client.delete(uri, headers=headers))
    statuses = [answer.status_code for answer in answers]
    if statuses != [201, 200, 200, 204]:
        raise SystemExit(f"registration: {statuses}")
    provider.get_application_model().objects.create(
        client_id="https://client.example/stale",
        client_type="public",
        registration_source="cimd",
        cimd_expires_at=timezone.now() - timedelta(days=1),
    )
    out = StringIO()
    call_command("clearcimdapplications", stdout=out)
    if not out.getvalue().startswith("1 "):
        raise SystemExit(f"documents: {out.getvalue()}")


def use_dashboard() -> None:
    """Look at the operators' pages: the dashboard names each token table of the site, and each run has its page."""
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    dashboard = client.get("/admin/maintenance/dashboard/").content.decode()
    tables = [model._meta.db_table for model in token_models()]
    missing = [table for table in tables if f'title="{table}"' not in dashboard]
    if missing:
        raise SystemExit(f"not on the dashboard: {missing}")
    paths = ["/admin/maintenance/run/", "/admin/maintenance/dashboard/live/"]
    paths += [f"/admin/maintenance/run/{run.pk}/change/" for run in Run.objects.all()]
    statuses = {client.get(path).status_code for path in paths}
    if statuses != {200}:
        raise SystemExit(f"operators' pages: {statuses}")


def use_admin(owner: dict) -> None:
    """Look at each model in the admin, change an application, give it a secret, revoke a token."""
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    access_token = provider.get_access_token_model().objects.create(
        token="revoked", expires=timezone.now() + timedelta(days=1), **owner
    )
    client_secret = client_secrets.add_client_secret(owner["application"], name="another").row
    models = {
        model: f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for model in (
            provider.get_application_model(),
            type(access_token),
            provider.get_refresh_token_model(),
            provider.get_id_token_model(),
            provider.get_grant_model(),
            provider.get_device_grant_model(),
            provider.get_par_request_model(),
        )
    }
    pages = [client.get(path, {"q": term}) for path in models.values() for term in ("", "ann")]
    for model, path in models.items():
        pages += [client.get(f"{path}{row.pk}/change/") for row in model.objects.all()]
    chosen = {"action": "revoke_tokens", "_selected_action": [access_token.pk]}
    pages.append(client.post(models[type(access_token)], chosen, follow=True))
    pages.append(client.get(f"{models[type(owner['application'])]}{owner['application'].pk}/delete/"))
    statuses = {page.status_code for page in pages}
    if statuses != {200}:
        raise SystemExit(f"admin: {statuses}")
    if type(access_token).objects.filter(pk=access_token.pk).exists():
        raise SystemExit("not revoked in the admin")
    client_secrets.revoke_client_secret(client_secret)


def work_on_users_tokens(owner: dict) -> None:
    """Run the other operations on tokens of their own; the application of `owner` stays."""
    access_token = provider.get_access_token_model().objects.create(
        token="another", scope="read", expires=timezone.now() + timedelta(days=1), **owner
    )
    run("migrate_token_scopes", old="read", new="see")
    access_token.refresh_from_db()
    if access_token.scope != "see":
        raise SystemExit(f"not migrated: {access_token.scope}")
    run("revoke_user_tokens", user_id=owner["user"].pk)
    if provider.get_access_token_model().objects.exists():
        raise SystemExit("not revoked")
    forgotten = provider.get_application_model().objects.create(
        client_type="public", authorization_grant_type="authorization-code"
    )
    applications = provider.get_application_model().objects.filter(pk=forgotten.pk)
    applications.update(created=timezone.now() - timedelta(days=400))
    run("cleanup_inactive_applications")
    if applications.exists():
        raise SystemExit("not removed")


def run(operation: str, **arguments: object) -> None:
    """Have the engine do it, here and now."""
    done = run_here(request_run(operation, arguments, trigger=Trigger.CODE, dispatch=False))
    if done.status != RunStatus.SUCCEEDED:
        raise SystemExit(
            f"{operation} {done.status}: {done.error_class} {done.error_message}\n{done.traceback}"
        )


main()
