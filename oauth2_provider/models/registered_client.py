"""What a client registers of itself (RFC 7591 section 2): its grants, its scopes, how it presents itself."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from ..settings import oauth2_settings
from .fields import PUBLIC_MODULE

REFRESH_TOKEN = "refresh_token"
GRANT_TYPE_CHOICES = (
    ("authorization_code", _("Authorization code")),
    (REFRESH_TOKEN, _("Refresh token")),
    ("client_credentials", _("Client credentials")),
    ("urn:ietf:params:oauth:grant-type:device_code", _("Device Code")),
    ("implicit", _("Implicit")),
    ("password", _("Resource owner password-based")),
)
"""Values of `grant_types` (RFC 7591 section 2), with their names for people."""
KIND_OF_GRANT_TYPE = {
    "authorization_code": "authorization-code",
    "client_credentials": "client-credentials",
    "urn:ietf:params:oauth:grant-type:device_code": "urn:ietf:params:oauth:grant-type:device_code",
    "implicit": "implicit",
    "password": "password",
}
"""Value on the wire -> kind of grant (GRANT_TYPES of the application)."""
HYBRID = "openid-hybrid"
HYBRID_PARTS = {"authorization_code", "implicit"}
"""Who registers both may use the hybrid flow (OpenID Connect Dynamic Client Registration 1.0 section 2)."""


def kinds_of(grant_types: list[str]) -> set[str]:
    """Return the kinds of grant (GRANT_TYPES of the application) that `grant_types` of the wire stand for."""
    kinds = {KIND_OF_GRANT_TYPE[name] for name in grant_types if name in KIND_OF_GRANT_TYPE}
    return kinds | {HYBRID} if set(grant_types) >= HYBRID_PARTS else kinds


def grant_types_of(kind: str) -> list[str]:
    """Return what stands on the wire for the kind of grant `kind`, refresh tokens left aside."""
    if kind == HYBRID:
        return sorted(HYBRID_PARTS)
    return [name for name, its_kind in KIND_OF_GRANT_TYPE.items() if its_kind == kind]


class GrantTypesFormField(forms.MultipleChoiceField):
    """Tick boxes for a list that is stored space separated; none ticked is None."""

    widget = forms.CheckboxSelectMultiple

    def prepare_value(self, value: Any) -> Any:
        return value.split() if isinstance(value, str) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)

    def clean(self, value: Any) -> Any:
        return " ".join(super().clean(value)) or None


class GrantTypesField(models.TextField):
    """Grant types as on the wire, space separated; every form, the admin's as well, has tick boxes for it."""

    def formfield(self, **kwargs: Any) -> Any:
        widget = kwargs.get("widget")
        if isinstance(widget, forms.Textarea) or (
            isinstance(widget, type) and issubclass(widget, forms.Textarea)
        ):
            kwargs.pop("widget")  # what the admin gives to every text field
        label = {
            "label": capfirst(self.verbose_name),
            "help_text": self.help_text,
            "required": not self.blank,
        }
        return GrantTypesFormField(choices=GRANT_TYPE_CHOICES, **{**label, **kwargs})


GrantTypesField.__module__ = PUBLIC_MODULE


class RegisteredClient(models.Model):
    """The part of an application that a client may tell of itself.

    `registered_grant_types` None: the one of `authorization_grant_type`, with refresh tokens. `registered_scope` None:
    whatever the site offers. `client_metadata`: what has no column, by its RFC 7591 name.
    """

    registered_grant_types = GrantTypesField(
        _("grant types"),
        null=True,
        blank=True,
        default=None,
        help_text=_(
            "Tick nothing, and the authorization grant type counts, with refresh tokens. Otherwise exactly what is "
            "ticked is allowed."
        ),
    )
    registered_scope = models.TextField(
        _("registered scope"),
        null=True,
        blank=True,
        default=None,
        help_text=_(
            "Scopes that the client may ask for, space separated; empty: all that the site offers it"
        ),
    )
    client_metadata = models.JSONField(
        _("client metadata"), null=True, blank=True, default=None, editable=False
    )

    class Meta:
        abstract = True

    @property
    def effective_grant_types(self) -> list[str]:
        """The grant types as on the wire: those registered, else what `authorization_grant_type` means."""
        if self.registered_grant_types:
            return self.registered_grant_types.split()
        kind: str = self.authorization_grant_type  # type: ignore[attr-defined]
        refresh = [] if kind == "implicit" else [REFRESH_TOKEN]
        return [*grant_types_of(kind), *refresh]

    @property
    def allows_refresh_tokens(self) -> bool:
        """Whether the client may have refresh tokens; only a list of grant types can say no."""
        return not self.registered_grant_types or REFRESH_TOKEN in self.registered_grant_types.split()

    def allows_grant_type(self, *grant_types: str) -> bool:
        """Tell whether the application may use one of `grant_types` (values of GRANT_TYPES)."""
        kinds = {self.authorization_grant_type, *kinds_of((self.registered_grant_types or "").split())}  # type: ignore[attr-defined]
        return not kinds.isdisjoint(grant_types)

    def allows_response_type(self, response_type: str) -> bool:
        """Tell whether the client registered `response_type`, or registered none; the order of words is nothing."""
        registered = (self.client_metadata or {}).get("response_types")
        if registered is None:
            return True
        return set(response_type.split()) in [set(one.split()) for one in registered]

    def permitted_scopes(self, scopes: list[str]) -> list[str]:
        """Return those of `scopes` that the client may have: what it registered, all where it registered none.

        The scope of registration tokens is never given to a client.
        """
        registered = set(self.registered_scope.split() if self.registered_scope else scopes)
        registered.discard(oauth2_settings.DCR_REGISTRATION_SCOPE)
        return [scope for scope in scopes if scope in registered]

    def _clean_grant_types(self) -> None:
        if not self.registered_grant_types:
            return
        listed = self.registered_grant_types.split()
        unknown = sorted(set(listed) - {name for name, _label in GRANT_TYPE_CHOICES})
        if unknown:
            raise ValidationError(
                {"registered_grant_types": _("There is no grant type %(name)s.") % {"name": unknown[0]}}
            )
        if self.authorization_grant_type not in kinds_of(listed):  # type: ignore[attr-defined]
            raise ValidationError(
                {
                    "registered_grant_types": _(
                        "The authorization grant type has to be among them: tick it as well."
                    )
                }
            )
