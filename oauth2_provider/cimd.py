"""Client ID metadata documents: a client_id that is a URL, and says there who the client is.

draft-ietf-oauth-client-id-metadata-document-01. The document is fetched by `CIMD_METADATA_FETCHER`, laid down in an
application like what a client registers, and fetched again when it is stale. Fetches are few: one per client and
CIMD_FAILURE_BACKOFF_SECONDS after a failure, CIMD_MAX_CONCURRENT_FETCHES at a time, THROTTLE_RATES["cimd"] per address.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.cache import cache
from django.db import IntegrityError, router, transaction
from django.http import HttpRequest
from django.utils import timezone

from .flows.client_metadata import LAID_DOWN, Methods, apply_metadata, check
from .flows.metadata_values import InvalidClientMetadata
from .models import get_application_model
from .models.registered_client import KIND_OF_GRANT_TYPE, REFRESH_TOKEN
from .safe_fetch import NAT64_PREFIX, Fetched, FetchError, SafeFetcher
from .settings import oauth2_settings
from .throttling import seconds_to_wait

__all__ = [
    "BACKOFF_CACHE_PREFIX",
    "GRANT_TYPE_MAP",
    "IGNORED_GRANT_TYPES",
    "MAX_AGE_RE",
    "NAT64_PREFIX",
    "AllowAllCIMDPermission",
    "CIMDError",
    "HostAllowlistCIMDPermission",
    "MetadataDocument",
    "SafeMetadataFetcher",
    "is_cimd_client_id",
    "refresh_if_stale",
    "resolve_cimd_application",
]
logger = logging.getLogger("oauth2_provider")

GRANT_TYPE_MAP = {
    name: kind for name, kind in KIND_OF_GRANT_TYPE.items() if name not in ("client_credentials", "password")
}
"""Grant types of a client that nobody here knows: those in which a user decides."""
IGNORED_GRANT_TYPES = {REFRESH_TOKEN}
BACKOFF_CACHE_PREFIX = "oauth2_provider:cimd:backoff:"
SLOT_CACHE_PREFIX = "oauth2_provider:cimd:fetching:"
MAX_AGE_RE = re.compile(r"(?:^|[,\s])max-age=\"?(\d{1,9})\"?(?=$|[,\s])", re.IGNORECASE)
NOT_TO_BE_KEPT = re.compile(r"(?:^|[,\s])no-(?:store|cache)(?=$|[,\s=])", re.IGNORECASE)
MAXIMUM_CLIENT_ID_CHARACTERS = 255
AUTH_METHODS = (Methods.NONE.value, Methods.PRIVATE_KEY_JWT.value)
SECRETS = ("client_secret", "client_secret_expires_at")


class CIMDError(Exception):
    """The document cannot be had, or is not one that makes a client; the message says why."""


@dataclass(frozen=True, kw_only=True)
class MetadataDocument:
    """A document as it was fetched; `max_age` is for how many seconds it may be kept, None where nothing was said."""

    content: Any
    max_age: int | None


def is_cimd_client_id(client_id: str) -> bool:
    """Tell whether `client_id` is a URL that a document may be at (section 3), and fits into the column."""
    if not client_id.startswith("https://") or len(client_id) > MAXIMUM_CLIENT_ID_CHARACTERS:
        return False
    if not client_id.isascii() or not client_id.isprintable() or any(mark in client_id for mark in " #\\"):
        return False
    try:
        parts = urlsplit(client_id)
        parts.port  # noqa: B018 - raises for one that is no number
    except ValueError:
        return False
    segments = {unquote(segment) for segment in parts.path.split("/")}
    return bool(parts.hostname and parts.path) and "@" not in parts.netloc and not segments & {".", ".."}


class AllowAllCIMDPermission:
    """Lets every client in whose document is good."""

    def has_permission(self, request: HttpRequest | None, client_id: str) -> bool:
        return True


class HostAllowlistCIMDPermission:
    """Lets clients in whose host is one of CIMD_ALLOWED_HOSTS; ".example.com" stands for all below it."""

    def has_permission(self, request: HttpRequest | None, client_id: str) -> bool:
        host = urlsplit(client_id).hostname or ""
        return any(
            host == allowed.lower() or (allowed.startswith(".") and host.endswith(allowed.lower()))
            for allowed in oauth2_settings.CIMD_ALLOWED_HOSTS
        )


class SafeMetadataFetcher(SafeFetcher):
    """Fetches documents within CIMD_FETCH_TIMEOUT_SECONDS and CIMD_MAX_DOCUMENT_SIZE, from public addresses only."""

    def __init__(self) -> None:
        super().__init__(
            timeout_seconds=oauth2_settings.CIMD_FETCH_TIMEOUT_SECONDS,
            max_bytes=oauth2_settings.CIMD_MAX_DOCUMENT_SIZE,
        )

    def fetch(self, client_id: str) -> MetadataDocument:
        """Return the document at `client_id`. Raises CIMDError."""
        try:
            return self._read_document(self.get(client_id))
        except FetchError as error:
            raise CIMDError(str(error)) from error

    def _read_document(self, fetched: Fetched) -> MetadataDocument:
        content_type = fetched.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json" and not re.fullmatch(r"application/[^/]+\+json", content_type):
            raise CIMDError("The document must be application/json.")
        return MetadataDocument(
            content=fetched.json(), max_age=_max_age(fetched.headers.get("cache-control", ""))
        )


def resolve_cimd_application(client_id: str, request: HttpRequest | None = None) -> Any:
    """Return a new application for the document at `client_id`; None where there is none that the site takes.

    Section 4.3: the request is aborted then. What failed is not kept, but not tried again at once either.
    """
    if not oauth2_settings.CIMD_ENABLED or not is_cimd_client_id(client_id):
        return None
    if not _is_permitted(client_id, request):
        return None
    model = get_application_model()
    application = model(client_id=client_id, registration_source=model.RegistrationSource.CIMD)
    if not _fetch_into(application, request):
        return None
    try:
        with transaction.atomic(using=router.db_for_write(model)):
            application.save(force_insert=True)
    except IntegrityError:  # another request was faster
        return model._default_manager.filter(client_id=client_id).first()
    return application


def refresh_if_stale(application: Any, request: HttpRequest | None = None) -> bool:
    """Fetch the document of `application` again if its time is over; returns whether the row is fresh.

    The row keeps what it has where the document cannot be had, or is no good any more.
    """
    is_cimd = application.registration_source == application.RegistrationSource.CIMD
    expires = application.cimd_expires_at
    if not is_cimd or expires is None or expires > timezone.now():
        return True
    if not oauth2_settings.CIMD_ENABLED or not _is_permitted(application.client_id, request):
        return False
    fresh = type(application)._base_manager.get(pk=application.pk)
    if not _fetch_into(fresh, request):
        return False
    # what concurrent requests note in the row, such as its last use, is not this function's to write
    fresh.save(update_fields=[*LAID_DOWN, "client_secret", "cimd_expires_at", "updated"])
    application.refresh_from_db()
    return True


def _is_permitted(client_id: str, request: HttpRequest | None) -> bool:
    classes = oauth2_settings.CIMD_REGISTRATION_PERMISSION_CLASSES
    return bool(classes) and all(permission().has_permission(request, client_id) for permission in classes)


def _fetch_into(application: Any, request: HttpRequest | None) -> bool:
    """Lay the document down in `application`, unsaved; False where it cannot be had now, or is no good."""
    client_id = application.client_id
    key = BACKOFF_CACHE_PREFIX + hashlib.sha256(client_id.encode()).hexdigest()
    if cache.get(key) or _is_throttled(request):
        return False
    try:
        with _slot():
            document = oauth2_settings.CIMD_METADATA_FETCHER().fetch(client_id)
            _apply(application, document)
    except _AllSlotsTaken:
        return False
    except (CIMDError, InvalidClientMetadata) as error:
        cache.set(key, True, oauth2_settings.CIMD_FAILURE_BACKOFF_SECONDS)
        logger.info(
            "a client ID metadata document was not taken",
            extra={
                "action": "cimd_refused",
                "host": urlsplit(client_id).hostname,
                "reason": type(error).__name__,
            },
        )
        return False
    return True


def _apply(application: Any, document: MetadataDocument) -> None:
    """Raises CIMDError and InvalidClientMetadata for a document that makes no client (section 4.1)."""
    content = document.content
    if not isinstance(content, dict) or content.get("client_id") != application.client_id:
        raise CIMDError("client_id of the document must be its URL, character by character.")
    if any(name in content for name in SECRETS):
        raise CIMDError("The document must not have a client secret.")
    if content.get("token_endpoint_auth_method") not in (None, *AUTH_METHODS):
        raise CIMDError("token_endpoint_auth_method must be none or private_key_jwt.")
    grant_types = content.get("grant_types")
    if isinstance(grant_types, list):
        offered = [name for name in grant_types if name in [*GRANT_TYPE_MAP, *IGNORED_GRANT_TYPES]]
        content = {**content, "grant_types": offered or ["none offered"]}
    apply_metadata(application, content, default_method=Methods.NONE.value)
    application.client_secret = ""
    application.cimd_expires_at = timezone.now() + timedelta(seconds=_lifetime(document.max_age))
    check(application)


def _lifetime(max_age: int | None) -> int:
    """Return for how many seconds a document is kept: what the server says, within the site's bounds (section 4.4)."""
    longest: int = oauth2_settings.CIMD_METADATA_MAX_AGE_SECONDS
    wanted = longest if max_age is None else max_age
    return max(oauth2_settings.CIMD_METADATA_MIN_AGE_SECONDS, min(wanted, longest))


def _max_age(cache_control: str) -> int | None:
    if NOT_TO_BE_KEPT.search(cache_control):
        return 0
    match = MAX_AGE_RE.search(cache_control)
    return int(match[1]) if match else None


def _is_throttled(request: HttpRequest | None) -> bool:
    return request is not None and bool(seconds_to_wait("cimd", str(request.META.get("REMOTE_ADDR", ""))))


class _AllSlotsTaken(Exception):  # noqa: N818 - the fact
    """As many fetches run as may; the client may try again, so this is no failure of its document."""


@contextmanager
def _slot() -> Iterator[None]:
    """Hold one of CIMD_MAX_CONCURRENT_FETCHES places, kept in the cache; one of a killed process comes free by time."""
    seconds = 2 * oauth2_settings.CIMD_FETCH_TIMEOUT_SECONDS + 5
    keys = (f"{SLOT_CACHE_PREFIX}{number}" for number in range(oauth2_settings.CIMD_MAX_CONCURRENT_FETCHES))
    key = next((key for key in keys if cache.add(key, True, seconds)), None)
    if key is None:
        raise _AllSlotsTaken
    try:
        yield
    finally:
        cache.delete(key)
