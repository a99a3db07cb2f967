"""Every page of the provider's models in the admin, wide and light, on a phone and dark: for every eye."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page

from oauth2_provider.flows.client_secrets import add_client_secret
from oauth2_provider.models import Application, SigningKey, create_pushed_authorization_request
from tests.browser import change_look, faults_of_accessibility, log_in, width_beyond
from tests.oauth2_provider.credentials import give_credentials, make_client

pytestmark = pytest.mark.browser

LOOKS: dict[str, dict[str, bool]] = {"light": {}, "narrow-dark": {"narrow": True, "dark": True}}


@pytest.fixture
def site_in_use(transactional_db: None) -> Any:
    """A row of everything that has a page; returns the operator."""
    operator = get_user_model().objects.create_superuser("operator")
    client = make_client(
        "photo-printer", name="Photo Printer", client_type=Application.CLIENT_CONFIDENTIAL, user=operator
    )
    add_client_secret(client, name="Spring")
    give_credentials(operator, client)
    create_pushed_authorization_request(client.client_id, {"response_type": "code"})
    SigningKey.objects.generate("ES256")
    return operator


def pages() -> dict[str, str]:
    """Return the list, the forms and the question before a deletion of each of our models, by name."""
    found = {}
    for model in site._registry:
        if model._meta.app_label != "oauth2_provider":
            continue
        name, row = f"oauth2_provider_{model._meta.model_name}", model._meta.default_manager.first()
        assert row is not None, f"no row of {name} to look at"
        found |= {f"{name}_{page}": reverse(f"admin:{name}_{page}") for page in ("changelist", "add")}
        for page in ("change", "delete", "history"):
            found[f"{name}_{page}"] = reverse(f"admin:{name}_{page}", args=[row.pk])
    return found


def test_every_page_is_for_everybody(site_in_use: Any, page: Page, client: Client) -> None:
    log_in(page, site_in_use)
    client.force_login(site_in_use)
    shown = {name: path for name, path in pages().items() if client.get(path).status_code == 200}
    assert sum(name.endswith("_changelist") for name in shown) == 8
    assert sum(name.endswith("_change") for name in shown) == 8
    faults: list[str] = []
    for name, path in shown.items():
        page.goto(path)
        for look, changes in LOOKS.items():
            change_look(page, **changes)
            found = [*faults_of_accessibility(page), *width_beyond(page)]
            faults += [f"{name}, {look}: {fault}" for fault in found]
    assert faults == [], "\n".join(faults)


def test_the_search_box_is_named_beside_what_django_puts_into_its_form(
    site_in_use: Any, client: Client
) -> None:
    client.force_login(site_in_use)
    asked = {"client_type": "confidential", "_popup": "1"}
    text = client.get(reverse("admin:oauth2_provider_application_changelist"), asked).content.decode()
    assert '<label for="searchbar" class="visually-hidden">Applications</label>' in text
    for name, value in asked.items():
        assert f'<input type="hidden" name="{name}" value="{value}">' in text
    assert text.count('id="searchbar"') == 1
