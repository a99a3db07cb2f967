"""Has a user's tokens revoked when the user is deactivated or gets another password, where the settings want it.

What `QuerySet.update()` changes sends no signal, in Django as here: revoke by hand then.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models.signals import post_save, pre_save

from . import runs
from .models import Trigger
from .settings import maintenance_settings

_REASONS = "_maintenance_revocation_reasons"
_SETTINGS = {"is_active": "REVOKE_ON_DEACTIVATION", "password": "REVOKE_ON_PASSWORD_CHANGE"}


def connect_receivers() -> None:
    """Listen to the active user model."""
    user_model = get_user_model()
    pre_save.connect(_note_reasons, sender=user_model, dispatch_uid="maintenance.note_reasons")
    post_save.connect(_revoke, sender=user_model, dispatch_uid="maintenance.revoke")


def _note_reasons(
    sender: Any, instance: Any, raw: bool, using: str, update_fields: Any, **kwargs: Any
) -> None:
    """Keep on the user what this save does that ends its tokens."""
    setattr(instance, _REASONS, [])
    fields = {field for field, setting in _SETTINGS.items() if getattr(maintenance_settings, setting)}
    if update_fields is not None:
        fields &= set(update_fields)
    if raw or instance._state.adding or not fields:
        return
    stored = sender._base_manager.using(using).filter(pk=instance.pk).first()
    if stored is None:
        return
    if "is_active" in fields and stored.is_active and not instance.is_active:
        getattr(instance, _REASONS).append("the user was deactivated")
    if "password" in fields and _has_another_password(instance, stored):
        getattr(instance, _REASONS).append("the user's password was changed")


def _revoke(sender: Any, instance: Any, **kwargs: Any) -> None:
    """Have the user's tokens revoked by a run that exists if, and only if, the save is committed."""
    if reasons := instance.__dict__.pop(_REASONS, None):
        arguments = {"user_id": instance.pk}
        runs.request_run("revoke_user_tokens", arguments, trigger=Trigger.CODE, reason="; ".join(reasons))


def _has_another_password(user: Any, stored: Any) -> bool:
    """Tell whether the password was set anew or taken away.

    A hash that Django upgrades at a login is no other password: it comes without the raw one.
    """
    was_taken_away = stored.has_usable_password() and not user.has_usable_password()
    return was_taken_away or getattr(user, "_password", None) is not None
