"""The redirect to a client, and paths that are reversed once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.exceptions import DisallowedRedirect
from django.test import override_settings
from django.urls import NoReverseMatch, clear_url_caches, get_resolver, include, path, set_script_prefix
from django.utils.translation import override as language

from oauth2_provider import http
from oauth2_provider.http import OAuth2ResponseRedirect, path_of


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("https://client.example/cb?code=1", "https://client.example/cb?code=1"),
        ("com.example.app:/cb?code=1", "com.example.app:/cb?code=1"),
        ("https://client.example/ü", "https://client.example/%C3%BC"),
    ],
)
def test_a_redirect_to_an_allowed_scheme_is_a_302(uri: str, location: str) -> None:
    """RFC 8252 section 7.1: private-use schemes too."""
    response = OAuth2ResponseRedirect(uri, ["https", "com.example.app"])

    assert (response.status_code, response["Location"], response.url) == (302, location, location)


@pytest.mark.parametrize("uri", ["javascript:alert(1)", "http://client.example/", "//client.example/", "/cb"])
def test_a_redirect_to_any_other_scheme_is_refused(uri: str) -> None:
    with pytest.raises(DisallowedRedirect):
        OAuth2ResponseRedirect(uri, ["https"])


class Mounted:
    """A URLconf that has the provider where users read their language in the path."""

    urlpatterns = i18n_patterns(path("id/", include("oauth2_provider.urls", namespace="oauth2_provider")))


METADATA = "oauth2_provider:oauth-server-metadata"


@pytest.fixture
def _fresh_paths() -> Iterator[None]:
    clear_url_caches()
    yield
    set_script_prefix("/")
    clear_url_caches()


@pytest.mark.usefixtures("_fresh_paths")
def test_a_path_follows_urlconf_script_prefix_and_language() -> None:
    suffix = ".well-known/oauth-authorization-server"
    assert [path_of(METADATA), path_of(METADATA)] == [f"/o/{suffix}"] * 2
    set_script_prefix("/site/")
    assert path_of(METADATA) == f"/site/o/{suffix}"
    with override_settings(ROOT_URLCONF=Mounted):
        assert path_of(METADATA) == f"/site/en-us/id/{suffix}"
        with language("de"):
            assert path_of(METADATA) == f"/site/de/id/{suffix}"
    set_script_prefix("/")
    assert path_of(METADATA) == f"/o/{suffix}"


@pytest.mark.usefixtures("_fresh_paths")
def test_a_name_without_a_path_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(NoReverseMatch):
            path_of("oauth2_provider:nothing")


@pytest.mark.usefixtures("_fresh_paths")
def test_script_prefixes_without_end_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "KEPT_AT_MOST", 2)
    for number in range(4):
        set_script_prefix(f"/{number}/")
        assert path_of(METADATA).startswith(f"/{number}/o/")
    assert len(vars(get_resolver())["_oauth2_provider_paths"]) == 2
