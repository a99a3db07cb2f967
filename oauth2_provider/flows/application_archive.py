"""An application's row as a document that outlives it, and back."""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core import serializers
from django.core.serializers.base import DeserializationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import router, transaction
from django.db.models import prefetch_related_objects
from django.utils import timezone

from ..batching import is_among
from ..hashers import fast_hash, is_hashed_secret
from ..models import ClientSecret, get_application_model

SECRET_FIELDS = ("name", "secret_hash", "created", "expires", "last_used")


class NotRestorable(Exception):  # noqa: N818 - the fact
    """The application cannot be restored; the message says why."""


def archived(applications: Sequence[Any]) -> list[list[dict[str, Any]]]:
    """Return the row of each of `applications` as JSON values, with natural keys and the secret hashed.

    After it come its further secrets, without the application. The same few statements for however many.

    A secret that was stored plain is not kept that way: it still authenticates the client after a restore, but no
    longer signs (HS256). It gets the fast hash, for the caller holds locks: better than it was kept, at no cost.
    """
    rows = [_without_plain_secret(application) for application in applications]
    prefetch_related_objects(rows, *_foreign_keys(get_application_model()))
    secrets = list(
        ClientSecret.objects.filter(is_among("application", [row.pk for row in rows])).order_by("pk")
    )
    further = defaultdict(list)
    for secret, values in zip(secrets, _as_values(secrets, fields=SECRET_FIELDS), strict=True):
        further[secret.application_id].append(values)
    documents = _as_values(rows, use_natural_foreign_keys=True)
    return [[document, *further[row.pk]] for row, document in zip(rows, documents, strict=True)]


def _foreign_keys(model: Any) -> list[str]:
    """Return the relations whose natural keys go into the document."""
    return [field.name for field in model._meta.concrete_fields if field.is_relation]


def _without_plain_secret(application: Any) -> Any:
    if not application.client_secret or is_hashed_secret(application.client_secret):
        return application
    row = copy.copy(application)
    row.client_secret, row.hash_client_secret = fast_hash(row.client_secret), True
    return row


def _as_values(rows: Sequence[Any], **options: Any) -> list[dict[str, Any]]:
    """Return `rows` as JSON values; at once, as the serializer of that name writes row by row, slowly."""
    values = serializers.serialize("python", rows, **options)
    return list(json.loads(json.dumps(values, cls=ExactEncoder)))


def restore(document: list[dict[str, Any]]) -> Any:
    """Store the application of `document` anew and return it; its primary key is the old one where that is free.

    It counts as used now, or the next clean-up would remove it again. Raises NotRestorable
    where its client_id is taken, its owner is gone or its model has changed.
    """
    model = get_application_model()
    alias = router.db_for_write(model)
    try:
        deserialized, *secrets = serializers.deserialize("json", json.dumps(document), using=alias)
    except (DeserializationError, ValueError) as error:
        raise NotRestorable(f"The archived row does not fit the database any more: {error}") from error
    application = deserialized.object
    if not isinstance(application, model):
        raise NotRestorable(f"The archived row is a {application._meta.label}, not a {model._meta.label}.")
    with transaction.atomic(using=alias):
        rows = model._base_manager.using(alias)
        if rows.filter(client_id=application.client_id).exists():
            raise NotRestorable(f"There is an application with the client_id {application.client_id!r}.")
        if rows.filter(pk=application.pk).exists():
            application.pk = None
        application.last_used = timezone.now()
        deserialized.save(using=alias, force_insert=True)
        for secret in secrets:
            _restore_secret(secret.object, application, using=alias)
    return application


def _restore_secret(secret: Any, application: Any, *, using: str) -> None:
    secret.pk, secret.application = None, application
    secret.save_base(raw=True, using=using, force_insert=True)  # raw: with the time when it was created


class ExactEncoder(DjangoJSONEncoder):
    """Keeps the microseconds of a time."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, datetime) else super().default(o)
