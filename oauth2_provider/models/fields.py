"""Model fields of the provider. Migrations know them by `oauth2_provider.models`."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import models

from ..hashers import hash_client_secret, is_hashed_secret

PUBLIC_MODULE = "oauth2_provider.models"


class ClientSecretField(models.CharField):
    """A client secret, hashed when it is saved unless the row's `hash_client_secret` is off.

    A value that is a hash already stays as it is.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        secret = getattr(model_instance, self.attname)
        if not getattr(model_instance, "hash_client_secret", True) or not secret or is_hashed_secret(secret):
            return super().pre_save(model_instance, add)
        hashed = hash_client_secret(
            secret, is_generated=getattr(model_instance, "_secret_is_generated", None)
        )
        setattr(model_instance, self.attname, hashed)
        return hashed


class TokenChecksumField(models.CharField):
    """The SHA-256 of the row's token in hexadecimal: what tokens are looked up by.

    Taken from `_raw_token` (see `set_token_value`), else from `token`; a row whose token is not stored keeps
    the checksum it has.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        token = getattr(model_instance, "_raw_token", None) or getattr(model_instance, "token", "")
        if token:
            setattr(model_instance, self.attname, token_checksum(token))
        return super().pre_save(model_instance, add)


class ResourceJSONField(models.JSONField):
    """A list of resource indicators (RFC 8707 section 2); None is stored as an empty list."""

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        if getattr(model_instance, self.attname) is None:
            setattr(model_instance, self.attname, [])
        return super().pre_save(model_instance, add)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return super().get_db_prep_value([] if value is None else value, connection, prepared)


def token_checksum(token: str) -> str:
    """Return the SHA-256 of `token`, 64 hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


for _field in (ClientSecretField, TokenChecksumField, ResourceJSONField):
    _field.__module__ = PUBLIC_MODULE  # what a migration writes down
