"""The command createapplication: what it makes, prints and refuses."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command, execute_from_command_line
from django.test import Client

from oauth2_provider.management.commands import createapplication
from oauth2_provider.models import Application

pytestmark = pytest.mark.django_db


def create(*arguments: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("createapplication", *arguments, stdout=out, **options)
    return out.getvalue()


def test_the_client_id_and_the_secret_are_printed_once_and_work(client: Client) -> None:
    printed = json.loads(create("confidential", "client-credentials", "--name", "Nightly", "--json"))
    assert printed == {
        "client_id": Application.objects.get().client_id,
        "client_secret": printed["client_secret"],
        "name": "Nightly",
        "client_type": "confidential",
        "authorization_grant_type": "client-credentials",
    }
    assert len(printed["client_secret"]) == 128
    answer = client.post(
        "/o/token/",
        {
            "grant_type": "client_credentials",
            "client_id": printed["client_id"],
            "client_secret": printed["client_secret"],
        },
    )
    assert answer.status_code == 200
    assert printed["client_secret"] not in Application.objects.get().client_secret


def test_people_read_it_line_by_line() -> None:
    lines = create("confidential", "client-credentials", "--name", "Nightly").splitlines()
    assert lines[0] == "New application Nightly created successfully."
    assert lines[1] == f"client_id: {Application.objects.get().client_id}"
    assert lines[2].startswith("client_secret: ")
    assert len(lines) == 3


def test_every_option_is_kept() -> None:
    printed = create(
        "confidential",
        "authorization-code",
        "--client-id=web",
        "--client-secret=a secret of more than thirty-two characters",
        "--no-hash-client-secret",
        "--redirect-uris=https://a.example/cb https://b.example/cb",
        "--post-logout-redirect-uris=https://a.example/bye",
        "--allowed-origins=https://a.example",
        "--name=Web",
        "--skip-authorization",
        "--algorithm=HS256",
    )
    assert "a secret" not in printed
    values = Application.objects.values(*(name for name in createapplication.FIELDS)).get()
    assert values == {
        "client_type": "confidential",
        "authorization_grant_type": "authorization-code",
        "client_id": "web",
        "client_secret": "a secret of more than thirty-two characters",
        "hash_client_secret": False,
        "redirect_uris": "https://a.example/cb https://b.example/cb",
        "post_logout_redirect_uris": "https://a.example/bye",
        "allowed_origins": "https://a.example",
        "name": "Web",
        "skip_authorization": True,
        "algorithm": "HS256",
    }


def test_a_public_client_has_no_secret() -> None:
    printed = create("public", "authorization-code", "--redirect-uris=https://a.example/cb", "--json")
    assert "client_secret" not in json.loads(printed)
    assert Application.objects.get().client_secret == ""


@pytest.mark.parametrize("by", ["name", "primary key"])
def test_the_owner_is_a_user_name_or_a_primary_key(by: str) -> None:
    user = get_user_model().objects.create_user("someone")
    create("confidential", "client-credentials", "--user", "someone" if by == "name" else str(user.pk))
    assert Application.objects.get().user == user


def test_an_owner_that_may_be_two_users_is_refused() -> None:
    first = get_user_model().objects.create_user("someone")
    get_user_model().objects.create_user(str(first.pk))
    with pytest.raises(CommandError, match="the name of one user and the primary key of another"):
        create("confidential", "client-credentials", "--user", str(first.pk))
    assert not Application.objects.exists()


REFUSED = [
    (["secret", "client-credentials"], {}, "'confidential', 'public'"),
    (["confidential", "code"], {}, "'authorization-code'.*'client-credentials'"),
    (["confidential", "client-credentials", "--algorithm=none"], {}, "'RS256', 'HS256'"),
    (["confidential", "client-credentials"], {"algorithm": "none"}, "algorithm: .*none"),
    (
        ["confidential", "client-credentials", "--user=nobody"],
        {},
        "no user with the name or primary key nobody",
    ),
    (["confidential", "authorization-code"], {}, "redirect URI is needed"),
    (
        ["confidential", "authorization-code", "--redirect-uris=javascript:alert(1)"],
        {},
        "Nothing was created",
    ),
    (["confidential", "client-credentials", "--client-id=taken"], {}, "client_id: .*already exists"),
]


@pytest.mark.parametrize(("arguments", "options", "message"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_is_wrong_is_refused_with_what_is_right(
    arguments: list[str], options: dict[str, str], message: str
) -> None:
    Application.objects.create(client_id="taken")
    with pytest.raises(CommandError, match=rf"(?s){message}"):
        create(*arguments, **options)
    assert Application.objects.count() == 1


@pytest.mark.django_db(transaction=True)  # the command line closes its connections
@pytest.mark.parametrize(
    "arguments",
    [["secret", "client-credentials"], ["confidential", "authorization-code"]],
    ids=["choice", "field"],
)
def test_the_exit_code_tells_a_script(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["manage.py"])
    with pytest.raises(SystemExit) as exited:
        execute_from_command_line(["manage.py", "createapplication", *arguments])
    assert exited.value.code not in (0, None)
    assert capsys.readouterr().err
    assert not Application.objects.exists()


def test_no_secret_is_in_a_refusal() -> None:
    secret = "a secret " * 40
    with pytest.raises(CommandError) as refused:
        create("confidential", "client-credentials", f"--client-secret={secret}")
    assert "client_secret: " in str(refused.value)
    assert secret not in str(refused.value)


def test_the_model_is_found_where_it_was() -> None:
    assert createapplication.Application is Application
