"""Somebody else's web server: https on loopback, under a certificate authority of its own."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from oauth2_provider.cimd import SafeMetadataFetcher
from oauth2_provider.safe_fetch import SafeFetcher

Answer = Callable[[BaseHTTPRequestHandler], None]


def certificate() -> bytes:
    """Return a key and a certificate for localhost and 127.0.0.1, signed by itself, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + signed.public_bytes(serialization.Encoding.PEM)


@dataclass(kw_only=True)
class OutsideServer:
    """Answers what the test puts into `answers`, by path; `asked` are the paths it was asked for."""

    port: int
    pem: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"https://localhost:{self.port}{path}"

    def serve(self, path: str, content: Any, *, status: int = 200, **headers: str) -> str:
        """Answer `path` with `content`, as JSON unless it is bytes, from now on; returns the URL."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            sent = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            sent.update({name.replace("_", "-"): value for name, value in headers.items()})
            for name, value in sent.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)

        self.answers[path] = answer
        return self.url(path)

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context that trusts this server, and no other."""
        return ssl.create_default_context(cafile=str(self.pem))


@contextmanager
def outside_server() -> Iterator[OutsideServer]:
    """Start the server; it is gone afterwards."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            outside.asked.append(path)
            answer = outside.answers.get(path)
            if answer is None:
                self.send_error(404)
                return
            answer(self)

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: Any) -> None:
            """Say nothing: clients that hang up are what the tests are about."""

    with tempfile.TemporaryDirectory() as directory:
        pem = Path(directory) / "server.pem"
        pem.write_bytes(certificate())
        server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        outside = OutsideServer(port=server.server_port, pem=pem)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield outside
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class OutsideFetcher(SafeFetcher):
    """Reaches the server `outside` on loopback, which no other fetcher would."""

    outside: OutsideServer

    def is_allowed_address(self, address: str) -> bool:
        return address == "127.0.0.1" or super().is_allowed_address(address)

    def get_ssl_context(self) -> ssl.SSLContext:
        return self.outside.ssl_context()


class OutsideMetadataFetcher(OutsideFetcher, SafeMetadataFetcher):
    """For CIMD_METADATA_FETCHER."""
