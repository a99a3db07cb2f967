"""Replacing the scope `old` by `new`, as either side has it: a loop over save(), or `migrate_token_scopes`."""

from __future__ import annotations

from importlib.util import find_spec

import django

django.setup()

from side.measure import measure  # noqa: E402

from oauth2_provider.models import AccessToken  # noqa: E402


def one_by_one() -> dict[str, int]:
    count = 0
    for access_token in AccessToken.objects.filter(scope__contains="old").iterator():
        words = access_token.scope.split()
        access_token.scope = " ".join(dict.fromkeys("new" if word == "old" else word for word in words))
        access_token.save()
        count += 1
    return {"accesstoken": count}


def by_set() -> dict[str, int]:
    from maintenance.operations import migrate_token_scopes

    return {"accesstoken": migrate_token_scopes("old", "new")}


if __name__ == "__main__":
    measure(by_set if find_spec("maintenance") else one_by_one)
