"""What a client may wish of the pages and of the login, and what must come of it at least: no error.

OpenID Connect Core 1.0 sections 3.1.2.1 and 15.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import translation

from oauth2_provider.flows.authentication import ACR

from .conftest import REDIRECT_URI, VERIFIER, RegisteredClient
from .openid import allow, ask, next_of, redirected, verified

Register = Callable[..., RegisteredClient]
LOCALE = "django.middleware.locale.LocaleMiddleware"


@pytest.fixture
def multilingual(settings: Any) -> None:
    """A site in English, German and Arabic, whose pages follow the browser."""
    settings.LANGUAGES = [("en", "English"), ("de", "German"), ("ar", "Arabic")]
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, LOCALE]


def id_token_of(
    client: Client, registered: RegisteredClient, answer: Any, **presented: str
) -> dict[str, Any]:
    body = {
        "grant_type": "authorization_code",
        "code": redirected(answer)["code"],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
    }
    tokens = client.post("/o/token/", body, headers={"authorization": registered.basic}).json()
    return verified(client, tokens["id_token"])


@pytest.mark.parametrize(
    "wish",
    [
        {"display": "page"},
        {"display": "popup"},
        {"display": "touch"},
        {"display": "wap"},
        {"display": "of nobody's"},
        {"ui_locales": "de"},
        {"ui_locales": "tlh xx-YY " + "é" * 600},
        {"claims_locales": "de fr"},
        {"acr_values": "urn:unknown 0 1"},
        {"login_hint": "some@one.example"},
        {"max_age": "100000"},
        {"prompt": "login consent", "max_age": "100000"},
        {"nobody_knows_this": "1"},
    ],
)
def test_what_a_client_wishes_is_no_error(
    logged_in: Client, relying_party: RegisteredClient, wish: dict[str, str]
) -> None:
    """OpenID Connect Core 1.0 section 15.1: MUST support their use, at least to not result in an error.

    Section 3.1.2.1: other parameters MAY be sent; RFC 6749 section 3.1: MUST ignore unrecognized ones.
    """
    answer = ask(logged_in, relying_party, **wish)
    if answer.status_code == 302:  # prompt=login
        next_of(answer)
    else:
        assert answer.context["form"].initial["client_id"] == relying_party.application.client_id


# -- ui_locales


@pytest.mark.parametrize(
    ("ui_locales", "language"),
    [
        ("de", "de"),
        ("de-CH", "de"),
        ("tlh de en", "de"),
        ("AR", "ar"),
        ("tlh", "en"),
        ("", "en"),
        ("\0 de", "en"),
    ],
)
def test_the_consent_page_is_in_a_language_of_the_client(
    logged_in: Client, relying_party: RegisteredClient, multilingual: None, ui_locales: str, language: str
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1, ui_locales: by preference; none that is known is no error."""
    answer = ask(logged_in, relying_party, ui_locales=ui_locales)
    if "\0" not in ui_locales:
        direction = "rtl" if language == "ar" else "ltr"
        assert f'<html lang="{language}" dir="{direction}">' in answer.content.decode()
        assert answer["Content-Language"] == language
    else:
        assert redirected(answer)["error"] == "invalid_request"


def test_the_language_of_one_request_is_not_that_of_the_next(
    logged_in: Client, relying_party: RegisteredClient
) -> None:
    before = translation.get_language()
    assert b'<html lang="de"' in ask(logged_in, relying_party, ui_locales="de").content
    assert translation.get_language() == before
    assert b'<html lang="en' in ask(logged_in, relying_party).content


def test_the_login_page_is_in_a_language_of_the_client(
    client: Client, relying_party: RegisteredClient, multilingual: None
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1, ui_locales: the language of the user interface."""
    answer = ask(client, relying_party, ui_locales="fr de")
    cookie = answer.cookies[django_settings.LANGUAGE_COOKIE_NAME]
    assert (cookie.value, cookie["max-age"]) == ("de", "")
    assert b'<html lang="de"' in client.get(answer["Location"]).content


def test_a_language_that_the_user_has_stays(
    client: Client, relying_party: RegisteredClient, multilingual: None
) -> None:
    client.cookies[django_settings.LANGUAGE_COOKIE_NAME] = "ar"
    answer = ask(client, relying_party, ui_locales="de")
    assert not answer.cookies
    assert b'<html lang="ar"' in client.get(answer["Location"]).content


def test_no_cookie_where_nothing_reads_it_and_none_to_the_client(
    client: Client, relying_party: RegisteredClient, user: Any, settings: Any
) -> None:
    name = django_settings.LANGUAGE_COOKIE_NAME
    assert name not in ask(client, relying_party, ui_locales="de").cookies
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, LOCALE]
    assert name not in ask(client, relying_party, ui_locales="de", prompt="none").cookies
    client.force_login(user)
    page = ask(client, relying_party, ui_locales="de")
    assert name not in page.cookies
    assert name not in allow(client, page).cookies


# -- acr_values


def test_a_wished_class_of_login_is_said_only_where_it_is_known(
    logged_in: Client, relying_party: RegisteredClient
) -> None:
    """OpenID Connect Core 1.0 section 3.1.2.1, acr_values: a Voluntary Claim; section 5.5.1: no error without it."""
    page = ask(logged_in, relying_party, acr_values="urn:mfa urn:password")
    assert "acr" not in id_token_of(logged_in, relying_party, allow(logged_in, page))
    session = logged_in.session
    session[ACR] = "urn:password"
    session.save()
    page = ask(logged_in, relying_party, acr_values="urn:mfa urn:password", prompt="consent")
    assert id_token_of(logged_in, relying_party, allow(logged_in, page))["acr"] == "urn:password"
