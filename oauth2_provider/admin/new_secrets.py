"""Secrets that saving an application made, on their way to the page that shows them once.

Between the requests they are in the user's session, encrypted (see `views.one_time`); Django's messages would keep them
in the clear, in a cookie or a table. The message is made for the page that shows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from ..views.one_time import keep_once, take_once

SLOT = "admin: client secrets"


def keep_secrets(request: HttpRequest, secrets: Iterable[tuple[Any, str, str]]) -> None:
    """Keep `secrets`, each the row it is of, what it is in words, and the secret, for the next page."""
    for row, name, secret in secrets:
        keep_once(request, f"{SLOT}/{row._meta.label_lower} {row.pk}", json.dumps([name, secret]))


def show_secrets(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Add what was kept to the messages of `response`, if that is a page; returns `response`."""
    if not isinstance(response, TemplateResponse) or response.is_rendered:
        return response
    for name, secret in map(json.loads, take_once(request, SLOT)):
        text = _("%s. Copy it now: it will not be shown again.") % name
        messages.warning(request, format_html('{} <code class="new-client-secret">{}</code>', text, secret))
    return response
