"""The members of a client metadata document, each of the type that RFC 7591 section 2 gives it, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

WEB_PAGES = ("client_uri", "logo_uri", "tos_uri", "policy_uri")
"""Pages and pictures for people: "MUST point to a valid" one, so at least a web address."""
TEXTS = ("software_id", "software_version")
INTERNATIONAL = ("client_name", *WEB_PAGES)
"""May stand there again with a language behind a # (section 2.2)."""
MAXIMUM_CHARACTERS = 2000
MAXIMUM_ITEMS = 50


class InvalidClientMetadata(Exception):  # noqa: N818 - the public name of the error
    """A member is invalid, and the server chose to reject the registration (RFC 7591 section 3.2.2)."""

    error = "invalid_client_metadata"

    @property
    def description(self) -> str:
        """What is wrong, in ASCII as section 3.2.2 wants it."""
        return str(self).encode("ascii", "replace").decode()


class InvalidRedirectURI(InvalidClientMetadata):
    """The value of one or more redirection URIs is invalid (RFC 7591 section 3.2.2)."""

    error = "invalid_redirect_uri"


class Members:
    """Reads members of one document; a null is a member left out. Each method raises InvalidClientMetadata."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    @classmethod
    def of(cls, document: Any) -> Members:
        if not isinstance(document, dict):
            raise InvalidClientMetadata("Client metadata is a JSON object.")
        return cls(document)

    def text(self, name: str) -> str | None:
        value = self._document.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) > MAXIMUM_CHARACTERS or not is_storable(value):
            raise InvalidClientMetadata(
                f"{name} must be a string of at most {MAXIMUM_CHARACTERS} characters, none a control character."
            )
        return value

    def texts(self, name: str) -> list[str] | None:
        value = self._document.get(name)
        if value is None:
            return None
        is_list = isinstance(value, list) and len(value) <= MAXIMUM_ITEMS
        if not is_list or not all(_is_short_text(item) for item in value):
            raise InvalidClientMetadata(f"{name} must be an array of at most {MAXIMUM_ITEMS} strings.")
        return list(value)

    def boolean(self, name: str) -> bool | None:
        value = self._document.get(name)
        if value is not None and not isinstance(value, bool):
            raise InvalidClientMetadata(f"{name} must be true or false.")
        return value

    def mapping(self, name: str) -> dict[str, Any] | None:
        value = self._document.get(name)
        if value is not None and not isinstance(value, dict):
            raise InvalidClientMetadata(f"{name} must be an object.")
        return value

    def uri(self, name: str, *, schemes: tuple[str, ...] = ("https", "http")) -> str | None:
        value = self.text(name)
        if value is None:
            return None
        if not is_web_address(value, schemes):
            raise InvalidClientMetadata(f"{name} must be an absolute URI of {' or '.join(schemes)}.")
        return value

    def presentation(self) -> dict[str, Any]:
        """Return what the client shows of itself to people, by name: checked, never acted upon."""
        found: dict[str, Any] = {name: self.uri(name) for name in WEB_PAGES}
        found.update({name: self.text(name) for name in TEXTS})
        found["contacts"] = self.texts("contacts")
        for name in [name for name in self._document if "#" in name and is_storable(name)][:MAXIMUM_ITEMS]:
            base = name.partition("#")[0]
            if base in INTERNATIONAL and len(name) < MAXIMUM_CHARACTERS:
                found[name] = self.text(name) if base == "client_name" else self.uri(name)
        return {name: value for name, value in found.items() if value is not None}


def is_storable(text: str) -> bool:
    """Tell whether every database takes `text`: no control characters, no halves of surrogate pairs."""
    return not any(ord(character) < 0x20 or 0xD800 <= ord(character) <= 0xDFFF for character in text)


def is_web_address(text: str, schemes: tuple[str, ...] = ("https", "http")) -> bool:
    """Tell whether `text` is an absolute URI with a host, and nothing that a page would trip over."""
    if not text.isprintable() or any(character in text for character in " <>\"'\\`"):
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def _is_short_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAXIMUM_CHARACTERS and is_storable(value)
