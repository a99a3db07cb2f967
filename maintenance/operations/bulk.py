"""Many rows in one statement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections, models, router

from oauth2_provider.flows.application_archive import ExactEncoder


def insert_rows(model: type[models.Model], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`, each with the values of the same columns of `model`, which must be JSON, times or UUIDs.

    PostgreSQL reads them from one parameter, which takes a third of the time of `bulk_create` where documents are among
    them: a driver quotes these one by one, and within an array twice.
    """
    using = router.db_for_write(model)
    connection = connections[using]
    if not rows:
        return
    if connection.vendor != "postgresql":
        model._base_manager.using(using).bulk_create(model(**row) for row in rows)
        return
    fields: dict[str, Any] = {
        field.attname: field for field in model._meta.concrete_fields if field.attname in rows[0]
    }
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields.values())
    given = ", ".join(quote(name) for name in fields)
    types = ", ".join(f"{quote(name)} {field.db_type(connection)}" for name, field in fields.items())
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(model._meta.db_table)} ({columns}) "  # noqa: S608 - the names are the model's
            f"SELECT {given} FROM jsonb_to_recordset(%s::jsonb) AS given ({types})",
            [json.dumps(rows, cls=ExactEncoder)],
        )
