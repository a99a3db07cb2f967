"""What an operator does about single applications: protect one from the clean-up, put an archived one back."""

from __future__ import annotations

from typing import Any

from django.db import router, transaction

from oauth2_provider.models import get_application_model

from .audit import record
from .exceptions import MaintenanceError
from .models import ArchivedApplication, AuditAction, ProtectedApplication, RunEvent
from .operations.cleanup_inactive_applications import restore_archive
from .runs import note


class NoSuchApplication(MaintenanceError):  # noqa: N818 - the fact
    """There is no application with this client ID."""


def protect(client_id: str, *, actor: str, reason: str = "") -> ProtectedApplication:
    """Have no clean-up remove the application; one that is protected already keeps its word.

    The application's row is locked, as the clean-up does it: whoever comes second sees what the first one did.
    Raises NoSuchApplication.
    """
    model = get_application_model()
    using = router.db_for_write(model)
    rows = model._base_manager.using(using).order_by()
    key = rows.filter(client_id=client_id).values_list("pk", flat=True).first()
    with transaction.atomic(using=using):
        # by the primary key: InnoDB would lock another index first, against the order of a delete
        if not rows.filter(pk=key).select_for_update().values_list("pk").first():
            raise NoSuchApplication
        values = {"actor": actor, "reason": reason}
        stored = ProtectedApplication.objects.using(router.db_for_write(ProtectedApplication))
        protected, is_new = stored.get_or_create(client_id=client_id, defaults=values)
        if is_new:
            record(AuditAction.APPLICATION_PROTECTED, actor=actor, target=client_id, reason=reason)
    return protected


def unprotect(client_id: str, *, actor: str, reason: str = "") -> bool:
    """Take the word back; returns whether there was one."""
    with transaction.atomic(using=router.db_for_write(ProtectedApplication)):
        stored = ProtectedApplication.objects.using(router.db_for_write(ProtectedApplication))
        removed, _rows = stored.filter(client_id=client_id).delete()
        if removed:
            record(AuditAction.APPLICATION_UNPROTECTED, actor=actor, target=client_id, reason=reason)
    return bool(removed)


def restore_archived(archive: ArchivedApplication, *, actor: str, reason: str = "") -> Any:
    """Put the application of `archive` back and return it. It counts as used now; its tokens are gone for good.

    Raises AlreadyRestored, and NotRestorable where its client_id is taken again or its owner is gone.
    """
    application = restore_archive(archive)
    note(archive.run, RunEvent.Kind.NOTE, text=f"{archive.client_id} was restored", actor=actor)
    effect = {"application": str(application.pk)}
    record(
        AuditAction.APPLICATION_RESTORED,
        run=archive.run,
        actor=actor,
        target=archive.client_id,
        reason=reason,
        effect=effect,
    )
    return application
