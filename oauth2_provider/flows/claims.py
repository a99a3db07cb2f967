"""The `claims` request parameter (OpenID Connect Core 1.0 section 5.5)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

MEMBERS = ("userinfo", "id_token")
MAXIMUM_CHARACTERS = 4000
"""What a request asks for is kept with every token that comes of it."""


class MalformedClaims(ValueError):  # noqa: N818 - the fact
    """The claims parameter is not what section 5.5 describes; the message says where."""


def parse(parameter: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the members of `parameter` that are understood: member -> claim -> what is asked of it, or None.

    Members that are not understood are left out (section 5.5: MUST be ignored). Raises MalformedClaims.
    """
    if not parameter:
        return {}
    document = _loaded(parameter) if isinstance(parameter, str) else parameter
    if not isinstance(document, Mapping):
        raise MalformedClaims("The claims parameter is not a JSON object.")
    asked = {member: document[member] for member in MEMBERS if document.get(member) is not None}
    for member, claims in asked.items():
        if not isinstance(claims, Mapping):
            raise MalformedClaims(f"The member {member} of the claims parameter is not an object.")
        if not all(request is None or isinstance(request, Mapping) for request in claims.values()):
            raise MalformedClaims(f"A claim in {member} is neither null nor an object.")
    return asked


def names(asked: Mapping[str, Any], member: str) -> Collection[str]:
    """Return the claims that are asked for in `member`."""
    return list(asked.get(member, {}))


def accepted_values(asked: Mapping[str, Any], member: str, claim: str) -> list[Any] | None:
    """Return the values that the client takes for `claim`; None: any (section 5.5.1)."""
    request = asked.get(member, {}).get(claim) or {}
    if "value" in request:
        return [request["value"]]
    values = request.get("values")
    return values if isinstance(values, list) else None


def is_essential(asked: Mapping[str, Any], member: str, claim: str) -> bool:
    """Tell whether the client cannot do without `claim`."""
    return (asked.get(member, {}).get(claim) or {}).get("essential") is True


def is_wanted(asked: Mapping[str, Any], member: str, claim: str, value: Any) -> bool:
    """Tell whether the client takes `value`; one that is not known is not sent at all (section 5.3.2)."""
    accepted = accepted_values(asked, member, claim)
    return value not in (None, "") and (accepted is None or value in accepted)


def _loaded(text: str) -> Any:
    if len(text) > MAXIMUM_CHARACTERS:
        raise MalformedClaims(f"The claims parameter is longer than {MAXIMUM_CHARACTERS} characters.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedClaims("The claims parameter is not JSON.") from error
