"""The application form where a site makes a form of its own of it, with other fields or another model's rules."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.forms.models import modelform_factory

from oauth2_provider.forms import ApplicationForm
from oauth2_provider.models import Application

from .credentials import make_client


def form_with(*fields: str) -> type[ApplicationForm]:
    return modelform_factory(Application, form=ApplicationForm, fields=fields)


@pytest.mark.django_db
def test_a_form_without_the_secret_leaves_it_alone() -> None:
    application = make_client("one", client_type="confidential", client_secret="a secret")
    form = form_with("name")({"name": "renamed", "client_secret": "another"}, instance=application)
    assert list(form.fields) == ["name"]
    before = application.client_secret
    form.save()
    assert (form.generated_secret, Application.objects.get().client_secret) == (None, before)


@pytest.mark.django_db
def test_without_a_choice_of_hashing_the_application_says_what_is_stored() -> None:
    application = make_client(
        "one", client_type="confidential", client_secret="plain", hash_client_secret=False
    )
    form = form_with("client_secret")({"client_secret": "another"}, instance=application)
    assert form.is_valid()
    form.save()
    assert Application.objects.get().client_secret == "another"


@pytest.mark.django_db
def test_an_error_of_a_field_that_the_form_has_not_is_shown_on_top(monkeypatch: pytest.MonkeyPatch) -> None:
    def clean(self: Any) -> None:
        raise ValidationError({"user": "The user may not.", "name": "The name is bad."})

    monkeypatch.setattr(Application, "clean", clean)
    form = form_with("name")({"name": "renamed"}, instance=make_client("one"))
    assert form.errors == {"__all__": ["The user may not."], "name": ["The name is bad."]}


def test_a_new_form_offers_an_id_and_no_secret() -> None:
    page = form_with("client_id", "client_secret")().as_p()
    assert page.count("<input") == 2  # nothing hidden that repeats the secret
    assert 'name="client_secret"' in page
    assert 'value="' in page.partition('name="client_secret"')[0]
    assert 'value="' not in page.partition('name="client_secret"')[2]
