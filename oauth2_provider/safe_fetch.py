"""Fetching a document from a URL that somebody else chose, without being sent where only this server can go.

Client ID Metadata Document draft section 6.5, RFC 6890: https only; the host is resolved once, every address it has
must be a public one, and one of those is connected to; no redirects, no proxies, no compressed bodies; one deadline for
all of it, and a limit on the size.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

NAT64_PREFIX = ipaddress.ip_network("64:ff9b::/96")
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
SPECIAL_NETWORKS = (
    NAT64_PREFIX,
    *map(
        ipaddress.ip_network,
        (
            "192.88.99.0/24",  # relays of 6to4
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",
            "2002::/16",  # 6to4: an IPv4 address inside
            "3fff::/20",
        ),
    ),
)
"""Special-use networks (RFC 6890) that `ipaddress` calls global in one release of Python or another."""


class FetchError(Exception):
    """The document could not be fetched; the message says why, in words that may be shown to the client."""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """The answer: 200, its body, its headers by lower-case name."""

    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """Return the body as JSON values. Raises FetchError."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise FetchError("The document is not JSON.") from error


def is_public_address(address: str) -> bool:
    """Tell whether `address` is a public unicast one; none that wraps or translates an IPv4 address is."""
    ip = ipaddress.ip_address(address)
    if any(ip in network for network in SPECIAL_NETWORKS if network.version == ip.version):
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip not in GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast


class SafeFetcher:
    """Fetches one document within `timeout_seconds` in all and of `max_bytes` at most."""

    def __init__(self, *, timeout_seconds: float, max_bytes: int) -> None:
        self.timeout_seconds = timeout_seconds
        self.max_bytes = max_bytes

    def is_allowed_address(self, address: str) -> bool:
        """Tell whether `address`, which the host of the URL has, may be connected to."""
        return is_public_address(address)

    def get_ssl_context(self) -> ssl.SSLContext:
        """Return a new context that verifies the server's certificate."""
        return ssl.create_default_context()

    def get(self, url: str, *, accept: str = "application/json") -> Fetched:
        """Return what `url` answers with 200. Raises FetchError for anything else."""
        parts = _split(url)
        deadline = time.monotonic() + self.timeout_seconds
        try:
            addresses = self._resolve(parts, deadline)
            connection = _Connection(parts, addresses, deadline=deadline, context=self._context())
            try:
                return self._request(connection, parts, accept)
            finally:
                connection.close()
        except TimeoutError as error:
            raise FetchError(f"The document was not there within {self.timeout_seconds} seconds.") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchError(f"The document cannot be fetched ({type(error).__name__}).") from error

    def _context(self) -> ssl.SSLContext:
        context = self.get_ssl_context()
        context.sslsocket_class = _DeadlineSocket
        return context

    def _resolve(self, parts: SplitResult, deadline: float) -> list[tuple[int, Any]]:
        """Return family and socket address of each address of the host; one that is not public spoils all."""
        found = _look_up(parts.hostname or "", parts.port or 443, _seconds_left(deadline))
        if not found or not all(self.is_allowed_address(sockaddr[0]) for _family, sockaddr in found):
            raise FetchError("The host has no address, or one that is not public.")
        return found

    def _request(self, connection: _Connection, parts: SplitResult, accept: str) -> Fetched:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "oauth2_provider"}
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            raise FetchError(f"The server answers {response.status}, not 200; redirects are not followed.")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise FetchError("The document is compressed.")
        body = response.read(self.max_bytes + 1)
        if len(body) > self.max_bytes:
            raise FetchError(f"The document is longer than {self.max_bytes} bytes.")
        if response.length:
            raise FetchError("The document ends before its Content-Length.")
        return Fetched(body=body, headers={name.lower(): value for name, value in response.headers.items()})


class _DeadlineSocket(ssl.SSLSocket):
    """Ends every read at one deadline, however slowly the other side drips."""

    deadline: float | None = None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        if self.deadline is not None:
            self.settimeout(_seconds_left(self.deadline))
        return super().recv_into(*args, **kwargs)


class _Connection(http.client.HTTPSConnection):
    """Connects to an address that was checked; the certificate must be that of the host."""

    def __init__(
        self,
        parts: SplitResult,
        addresses: list[tuple[int, Any]],
        *,
        deadline: float,
        context: ssl.SSLContext,
    ) -> None:
        super().__init__(parts.hostname or "", parts.port or 443, context=context)
        self._addresses, self._deadline, self._tls = addresses, deadline, context

    def connect(self) -> None:
        plain = self._connect_to_any()
        try:
            plain.settimeout(_seconds_left(self._deadline))
            tls = self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise
        if isinstance(tls, _DeadlineSocket):
            tls.deadline = self._deadline
        self.sock = tls

    def _connect_to_any(self) -> socket.socket:
        failure: OSError = OSError("no address")
        for family, address in self._addresses:
            plain = socket.socket(family, socket.SOCK_STREAM)
            try:
                plain.settimeout(_seconds_left(self._deadline))
                plain.connect(address)
            except OSError as error:
                plain.close()
                failure = error
            else:
                return plain
        raise failure


def _split(url: str) -> SplitResult:
    """Return the parts of `url`. Raises FetchError unless it is https, with a host and nothing before that."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port != 0
    except ValueError as error:
        raise FetchError("The URL cannot be parsed.") from error
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or not port_is_fine:
        raise FetchError("The URL must be https, with a host and without user information.")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise FetchError("The URL has characters that a URL does not have.")
    return parts


def _look_up(host: str, port: int, timeout_seconds: float) -> list[tuple[int, Any]]:
    """Ask the resolver, which knows no timeout of ours, in a thread. Raises TimeoutError, OSError."""
    answers: list[list[tuple[int, Any]]] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.append([(family, address) for family, _type, _proto, _name, address in found])
        except (OSError, UnicodeError):
            answers.append([])

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    if not answers:
        raise TimeoutError
    return answers[0]


def _seconds_left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
