"""The language of the pages that an authorization request leads to: its `ui_locales`.

OpenID Connect Core 1.0 section 3.1.2.1.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import translation

MAXIMUM_LOCALES = 20
LOCALE_MIDDLEWARE = "django.middleware.locale.LocaleMiddleware"


def find_language(ui_locales: str) -> str | None:
    """Return the first of the space-separated language tags that is one of LANGUAGES, or a variant of one.

    None where there is none, which is no error (section 3.1.2.1: SHOULD NOT result in one).
    """
    for tag in ui_locales.split()[:MAXIMUM_LOCALES]:
        try:
            return translation.get_supported_language_variant(tag.lower())
        except (LookupError, ValueError):
            continue
    return None


class PageInItsLanguage(TemplateResponse):
    """A page that is rendered, however late, in the language that was active when it was made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.language = translation.get_language()
        super().__init__(*args, **kwargs)

    @property
    def rendered_content(self) -> str:
        """The page."""
        with translation.override(self.language):
            return super().rendered_content


class LanguageMixin:
    """Answers an authorization request in a language of its `ui_locales`.

    The login page is the site's own: where the LocaleMiddleware is, the language cookie tells it, for the length of
    the browser's session, unless the user has one already, which may be their own choice. The view sets `is_answered`
    and makes its pages as PageInItsLanguage.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        language = find_language(request.GET.get("ui_locales", ""))
        if language is None:
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        with translation.override(language):
            response = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        response.headers.setdefault("Content-Language", language)
        leads_to_a_page = response.status_code == 302 and not self.is_answered  # type: ignore[attr-defined]
        if leads_to_a_page and LOCALE_MIDDLEWARE in settings.MIDDLEWARE:
            _tell_the_site(request, response, language)
        return response


def _tell_the_site(request: HttpRequest, response: Any, language: str) -> None:
    if settings.LANGUAGE_COOKIE_NAME in request.COOKIES:
        return
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        path=settings.LANGUAGE_COOKIE_PATH,
        domain=settings.LANGUAGE_COOKIE_DOMAIN,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
    )
