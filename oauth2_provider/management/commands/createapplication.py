"""createapplication: register a client from the command line."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.management.base import BaseCommand, CommandError

from ...generators import generate_client_secret
from ...models import get_application_model

FIELDS = (
    "client_type",
    "authorization_grant_type",
    "client_id",
    "client_secret",
    "hash_client_secret",
    "redirect_uris",
    "post_logout_redirect_uris",
    "allowed_origins",
    "name",
    "skip_authorization",
    "algorithm",
)


class Command(BaseCommand):
    """Register an application, valid as one from the pages is. A secret that is made here is printed, this once."""

    help = (
        "Register an application. Prints its client id and, if it is made here, its client secret: only now."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        application_model = get_application_model()
        parser.add_argument("client_type", choices=_values(application_model.CLIENT_TYPES))
        parser.add_argument("authorization_grant_type", choices=_values(application_model.GRANT_TYPES))
        parser.add_argument("--client-id", help="default: a random one")
        parser.add_argument("--user", help="user name or primary key of the owner; default: nobody")
        for option in ("--redirect-uris", "--post-logout-redirect-uris", "--allowed-origins"):
            parser.add_argument(option, help="separated by spaces")
        parser.add_argument(
            "--client-secret",
            help="default: a random one; none for a public client. Shows in the process list.",
        )
        parser.add_argument(
            "--no-hash-client-secret",
            action="store_false",
            dest="hash_client_secret",
            default=None,
            help="store the secret as it is: HS256 and client_secret_jwt need that",
        )
        parser.add_argument("--name")
        parser.add_argument(
            "--skip-authorization",
            action="store_true",
            default=None,
            help="users are never asked for consent",
        )
        algorithms = [value for value in _values(application_model.ALGORITHM_TYPES) if value]
        parser.add_argument("--algorithm", choices=algorithms, help="of ID tokens (OpenID Connect)")
        parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")

    def handle(self, *args: Any, **options: Any) -> None:
        application_model = get_application_model()
        values = {name: options[name] for name in FIELDS if options.get(name) is not None}
        secret = None
        if "client_secret" not in values:
            is_public = values["client_type"] == application_model.CLIENT_PUBLIC
            secret = "" if is_public else generate_client_secret()
            values["client_secret"] = secret
        if options.get("user") is not None:
            values["user"] = _get_user(str(options["user"]))
        application = application_model(**values)
        try:
            application.full_clean()
        except ValidationError as invalid:
            raise CommandError(_described(invalid)) from invalid
        application.save()
        self._print(application, secret, as_json=bool(options.get("json")))

    def _print(self, application: Any, secret: str | None, *, as_json: bool) -> None:
        """Print the client and, if it was made here, its secret; a given one stays out of terminals and logs."""
        content = {"client_id": application.client_id, **({"client_secret": secret} if secret else {})}
        if as_json:
            about = {
                name: getattr(application, name)
                for name in ("name", "client_type", "authorization_grant_type")
            }
            self.stdout.write(json.dumps({**content, **about}))
            return
        self.stdout.write(self.style.SUCCESS(f"New application {application} created successfully."))
        for name, value in content.items():
            self.stdout.write(f"{name}: {value}")


def _values(choices: Any) -> list[str]:
    return [value for value, _label in choices]


def _get_user(text: str) -> Any:
    """Return the user with this user name or primary key. Raises CommandError for none, and for two."""
    user_model = get_user_model()
    users = user_model._default_manager
    found = set(users.filter(**{user_model.USERNAME_FIELD: text}))
    with suppress(ValueError, ValidationError):  # no primary key looks like this
        found |= set(users.filter(pk=text))
    if len(found) > 1:
        raise CommandError(
            f"--user {text} is the name of one user and the primary key of another. Nothing was created."
        )
    if not found:
        raise CommandError(f"There is no user with the name or primary key {text}. Nothing was created.")
    return found.pop()


def _described(invalid: ValidationError) -> str:
    """Return what is wrong, by option, without the values: one of them is the secret."""
    lines = ["Nothing was created. Please correct:"]
    for field, errors in invalid.message_dict.items():
        name = "application" if field == NON_FIELD_ERRORS else field
        lines += [f" - {name}: {error}" for error in errors]
    return "\n".join(lines)


def __getattr__(name: str) -> Any:
    """Return the application model under its usual name, looked up when asked for."""
    if name == "Application":
        return get_application_model()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
