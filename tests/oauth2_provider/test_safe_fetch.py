"""The fetcher of documents that others name: where it does not go, what it does not take (RFC 6890)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from oauth2_provider.safe_fetch import FetchError, SafeFetcher, is_public_address

from .outside import OutsideFetcher, OutsideServer, outside_server


def resolver(addresses: list[str]) -> Callable[..., Any]:
    """Return a getaddrinfo that knows every host by these addresses."""

    def answer(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
            for address in addresses
        ]

    return answer


@pytest.fixture(scope="module")
def server() -> Iterator[OutsideServer]:
    with outside_server() as outside:
        yield outside


@pytest.fixture
def fetcher(server: OutsideServer) -> SafeFetcher:
    fetcher = OutsideFetcher(timeout_seconds=5, max_bytes=1000)
    fetcher.outside = server
    return fetcher


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "2a00:1450:4001::1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "224.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1",
        "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::",
        "2001:0:4136::1", "2001:db8::1", "3fff::1", "100::1", "fec0::1",
    ],
)  # fmt: skip
def test_special_use_addresses_are_refused(address: str) -> None:
    """Client ID Metadata Document draft section 6.5 (MUST), RFC 6890: also inside mapped and translated ones."""
    assert not is_public_address(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/x", "https:///x", "https://", "ftp://localhost/", "https://user@localhost/",
        "https://user:secret@localhost/", "https://localhost:0/", "https://localhost:x/", "https://[::1/",
        "https://localhost/a b", "https://localhost/\n", "https://localhost\\@x/", "https://löcalhost/", "",
    ],
)  # fmt: skip
def test_a_url_of_another_kind_is_not_even_resolved(fetcher: SafeFetcher, url: str) -> None:
    with pytest.raises(FetchError, match="The URL"):
        fetcher.get(url)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "0x7f.1", "2130706433"])
def test_the_host_must_have_public_addresses_only(server: OutsideServer, host: str) -> None:
    """Client ID Metadata Document draft section 6.5: the URL MUST NOT resolve to special-use addresses."""
    asked = list(server.asked)
    with pytest.raises(FetchError, match="not public"):
        SafeFetcher(timeout_seconds=5, max_bytes=1000).get(f"https://{host}:{server.port}/document")
    assert server.asked == asked


@pytest.mark.parametrize("answer", [["8.8.8.8", "10.0.0.1"], ["::1", "8.8.8.8"]])
def test_one_address_that_is_not_public_spoils_the_others(
    fetcher: SafeFetcher, monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    """A name that has a public and a private address cannot choose where the request goes."""
    monkeypatch.setattr(socket, "getaddrinfo", resolver(answer))
    with pytest.raises(FetchError, match="not public"):
        fetcher.get("https://two-faced.example/")


def test_the_address_that_was_checked_is_the_one_connected_to(
    server: OutsideServer, fetcher: SafeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that answers differently the second time (DNS rebinding) is not asked a second time."""
    asked: list[str] = []

    def once(host: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        return resolver(["127.0.0.1" if len(asked) == 1 else "10.0.0.1"])(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    assert fetcher.get(server.serve("/document", {})).json() == {}
    assert asked == ["localhost"]


def test_a_document_is_fetched_with_its_headers(server: OutsideServer, fetcher: SafeFetcher) -> None:
    url = server.serve("/document", {"a": [1]}, Cache_Control="max-age=5")
    fetched = fetcher.get(f"{url}?with=query")
    assert fetched.json() == {"a": [1]}
    assert fetched.headers["cache-control"] == "max-age=5"


@pytest.mark.parametrize("status", [201, 204, 304, 400, 404, 500])
def test_only_200_is_an_answer(server: OutsideServer, fetcher: SafeFetcher, status: int) -> None:
    """Client ID Metadata Document draft section 4: MUST treat all other HTTP status codes as an error response."""
    with pytest.raises(FetchError, match=f"answers {status}"):
        fetcher.get(server.serve("/document", {}, status=status))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(server: OutsideServer, fetcher: SafeFetcher, status: int) -> None:
    """Client ID Metadata Document draft section 4: MUST NOT automatically follow HTTP redirects."""
    server.serve("/elsewhere", {})
    url = server.serve("/document", {}, status=status, Location=server.url("/elsewhere"))
    with pytest.raises(FetchError, match="redirects are not followed"):
        fetcher.get(url)
    assert "/elsewhere" not in server.asked


def test_a_long_document_is_refused(server: OutsideServer, fetcher: SafeFetcher) -> None:
    """Client ID Metadata Document draft section 6.6."""
    assert len(fetcher.get(server.serve("/document", b"x" * 1000)).body) == 1000
    with pytest.raises(FetchError, match="longer than 1000 bytes"):
        fetcher.get(server.serve("/document", b"x" * 1001))


def test_a_compressed_document_is_refused(server: OutsideServer, fetcher: SafeFetcher) -> None:
    with pytest.raises(FetchError, match="compressed"):
        fetcher.get(server.serve("/document", b"x", Content_Encoding="gzip"))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\x00", b"[" * 999])
def test_what_is_not_json_is_refused(server: OutsideServer, fetcher: SafeFetcher, body: bytes) -> None:
    with pytest.raises(FetchError, match="not JSON"):
        fetcher.get(server.serve("/document", body)).json()


def test_a_body_shorter_than_promised_is_refused(server: OutsideServer, fetcher: SafeFetcher) -> None:
    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.close_connection = True

    server.answers["/short"] = hang_up
    with pytest.raises(FetchError, match="ends before"):
        fetcher.get(server.url("/short"))


def test_a_server_that_drips_is_left_at_the_deadline(server: OutsideServer, fetcher: SafeFetcher) -> None:
    """Each byte comes in time; all of them together do not."""
    gone = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "900")
        handler.end_headers()
        for _ in range(900):
            try:
                handler.wfile.write(b"x")
            except OSError:
                break
            if gone.wait(0.05):
                break

    server.answers["/drip"] = drip
    fetcher.timeout_seconds = 0.5
    started = time.monotonic()
    with pytest.raises(FetchError, match=r"not there within 0\.5 seconds"):
        fetcher.get(server.url("/drip"))
    gone.set()
    assert time.monotonic() - started < 10


def test_a_server_that_says_nothing_is_left_at_the_deadline(fetcher: SafeFetcher) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        fetcher.timeout_seconds = 0.3
        with pytest.raises(FetchError, match="not there within"):
            fetcher.get(f"https://localhost:{silent.getsockname()[1]}/")


def test_a_certificate_that_nobody_vouches_for_is_refused(server: OutsideServer) -> None:
    class Distrustful(SafeFetcher):
        def is_allowed_address(self, address: str) -> bool:
            return True

    with pytest.raises(FetchError, match="SSLCertVerificationError"):
        Distrustful(timeout_seconds=5, max_bytes=1000).get(server.serve("/document", {}))


def test_a_host_that_does_not_exist_has_no_address(
    fetcher: SafeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(FetchError, match="has no address"):
        fetcher.get("https://does-not-exist.example/")


def test_a_resolver_that_hangs_is_left_at_the_deadline(
    fetcher: SafeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(*args: Any, **kwargs: Any) -> Any:
        released.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    fetcher.timeout_seconds = 0.2
    with pytest.raises(FetchError, match="not there within"):
        fetcher.get("https://slow.example/")
    released.set()
