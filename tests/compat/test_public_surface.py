"""Every name that django-oauth-toolkit 3.4.1 has in public is here: importable, callable as it was, at the same URL.

`public_surface.json` lists its modules with their names and methods, and the positional parameters of what can be
called; its URLs and its settings. Gathered by running it.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern

from oauth2_provider import urls
from oauth2_provider.settings import DEFAULTS

SURFACE = json.loads((Path(__file__).parent / "public_surface.json").read_text())
MODULES = SURFACE["modules"]

DIFFERENT = {
    # static there; here it knows the request, for the issuer and for who asks
    "oauth2_provider.views.introspect.IntrospectTokenView.get_token_response",
    # private, and never called with arguments
    "oauth2_provider.oauth2_validators.OAuth2Validator._get_additional_claims_is_request_agnostic",
    "oauth2_provider.settings.OAuth2ProviderSettings._warn_deprecated_settings",
    "oauth2_provider.cimd.SafeMetadataFetcher._read_document",
}
"""What takes other arguments, and why nobody notices."""


def callables(module: str) -> Iterator[tuple[str, Any, str]]:
    """Yield path, object and the toolkit's positional parameters of what the module lets be called."""
    loaded, facts = import_module(module), MODULES[module]
    for name, parameters in facts["names"].items():
        if parameters is not None:
            yield f"{module}.{name}", getattr(loaded, name), parameters
    for class_name, methods in facts["methods"].items():
        for name, parameters in methods.items():
            if parameters is not None:
                found = inspect.getattr_static(getattr(loaded, class_name), name)
                is_wrapped = isinstance(found, classmethod | staticmethod)
                yield f"{module}.{class_name}.{name}", found.__func__ if is_wrapped else found, parameters


def complaint(found: Any, parameters: str) -> str | None:
    """Return what would break for a caller or a subclass that knows the toolkit's `parameters`; None: nothing."""
    if not inspect.isfunction(found):
        return None  # a property or a class in its place
    here = list(inspect.signature(found).parameters.values())
    takes_any = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in here)
    positional = [parameter for parameter in here if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    wanted = [name for name in parameters.split() if not name.startswith("*")]
    names = [parameter.name for parameter in positional]
    if names[: len(wanted)] != wanted[: len(names)] or (len(names) < len(wanted) and not takes_any):
        return f"takes {names}, not {wanted}"
    if "*" in parameters:  # passed on, whatever it is
        return None
    more = [parameter.name for parameter in positional[len(wanted) :] if parameter.default is parameter.empty]
    return f"needs {more} as well" if more else None


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_here(module: str) -> None:
    loaded, facts = import_module(module), MODULES[module]
    missing = [name for name in facts["names"] if not hasattr(loaded, name)]
    for class_name, methods in facts["methods"].items():
        owner = getattr(loaded, class_name, None)
        missing += [f"{class_name}.{name}" for name in methods if not hasattr(owner, name)]
    assert missing == []


@pytest.mark.parametrize("module", MODULES)
def test_what_can_be_called_is_called_as_it_was(module: str) -> None:
    complaints = {
        path: complaint(found, parameters)
        for path, found, parameters in callables(module)
        if path not in DIFFERENT
    }
    assert {path: text for path, text in complaints.items() if text} == {}


def test_every_url_is_where_it_was() -> None:
    here = {
        pattern.name: str(pattern.pattern) for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)
    }
    assert {name: here.get(name) for name in SURFACE["urls"]} == SURFACE["urls"]


def test_every_setting_is_known() -> None:
    assert [name for name in SURFACE["settings"] if name not in DEFAULTS] == []
