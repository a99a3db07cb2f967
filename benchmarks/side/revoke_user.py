"""Revoking every token of user 1, as either side has it: a loop over revoke(), or `revoke_credentials`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

import django

django.setup()

from side.measure import measure  # noqa: E402

from oauth2_provider.models import AccessToken, RefreshToken  # noqa: E402

USER = 1


def one_by_one() -> Mapping[str, int]:
    for refresh_token in RefreshToken.objects.filter(user=USER, revoked__isnull=True):
        refresh_token.revoke()
    for access_token in AccessToken.objects.filter(user=USER):
        access_token.revoke()
    return {}


def by_set() -> Mapping[str, int]:
    from oauth2_provider.flows.bulk_revocation import Holder, revoke_credentials

    return revoke_credentials(Holder(users=(USER,)))


if __name__ == "__main__":
    measure(by_set if find_spec("oauth2_provider.flows") else one_by_one)
