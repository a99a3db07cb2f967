"""Redirect URIs and origins: where this project answers otherwise than the toolkit, and nowhere else."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.compat.conftest import succeed
from tests.compat.sites import Site

HOSTS = [
    "client.example",
    "CLIENT.example",
    "www.client.example",
    "evilclient.example",
    "*.client.example",
    "client.example:8443",
    "client.example:99999",
    "client.example:",
    "user@client.example",
    "client.example\\@evil.example",
    "localhost",
    "localhost:5000",
    "127.0.0.1",
    "127.0.0.1:5000",
    "127.0.0.2:5000",
    "[::1]:5000",
]
TAILS = ["", "/", "/cb", "/cb/", "/CB", "/cb?x=1", "/cb?x=1&y=2", "/cb?", "/cb#f", "/cb\n", "/c b"]
REGISTERED = [
    "https://client.example/cb",
    "https://client.example",
    "https://client.example/cb?x=1",
    "https://*.client.example/cb",
    "http://127.0.0.1/cb",
    "http://[::1]/cb",
    "http://localhost:3000/cb",
    "com.example.app:/cb",
]
REDIRECTS = [
    [uri, registered]
    for registered in REGISTERED
    for uri in (
        *(
            f"{scheme}://{host}{tail}"
            for scheme, host, tail in itertools.product(("https", "http"), HOSTS, TAILS)
        ),
        "com.example.app:/cb",
        "com.example.app://cb",
        "com.example.app:/cb?x",
        "",
    )
]
ORIGINS = [
    [f"{scheme}://{host}{tail}", "https://client.example"]
    for scheme, host, tail in itertools.product(("https", "http"), HOSTS, TAILS)
]


def reason_to_differ(uri: str, kind: str) -> str | None:
    """Return why this project may answer otherwise, as docs/taking_over.md has it."""
    if any(character in uri for character in "\\\n "):
        return "browsers read it differently"
    if ":99999" in uri:
        return "no port"
    if kind == "origins" and (uri.count("/") > 2 or "?" in uri or "@" in uri):
        return "no origin"
    if kind == "origins" and uri != uri.lower():
        return "the case of a host"
    return None


@pytest.mark.parametrize("provider", [{}, {"ALLOW_URI_WILDCARDS": True}, {"ALLOW_LOCALHOST_LOOPBACK": True}])
def test_uris_are_judged_as_the_toolkit_does_but_for_reasons(
    peer: Path, rsa_key: Path, provider: dict[str, Any]
) -> None:
    site = Site(database={"ENGINE": "none"}, peer=peer, rsa_key=rsa_key)
    question = {"provider": provider, "redirects": REDIRECTS, "origins": ORIGINS}
    theirs = json.loads(succeed(site.toolkit("uri_cases", stdin=question)))
    ours = json.loads(succeed(site.ours("uri_cases", stdin=question)))

    unexplained = [
        (kind, uri, registered, was, now)
        for kind in ("redirects", "origins")
        for (uri, registered), was, now in zip(question[kind], theirs[kind], ours[kind], strict=True)
        if was != now and reason_to_differ(uri, kind) is None
    ]
    assert unexplained == []
    assert sum(now is True for now in ours["redirects"]) > 10, "something is allowed"
