"""What class-based views are marked with: how Django's middleware and error reports treat them."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import reverse
from django.urls.resolvers import get_resolver
from django.views.debug import SafeExceptionReporterFilter

from oauth2_provider import views

ENDPOINTS = ["token", "revoke-token", "introspect", "device-authorization", "pushed-authorization-request"]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_endpoints_that_clients_post_to_need_no_login_and_no_csrf_token(name: str) -> None:
    view: Any = get_resolver().resolve(reverse(f"oauth2_provider:{name}")).func
    assert (view.csrf_exempt, view.login_required) == (True, False)


def test_no_error_report_has_what_a_client_posts(settings: Any, rf: RequestFactory) -> None:
    class Fails(views.TokenView):
        def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError

    request = rf.post("/o/token/", {"client_id": "c", "client_secret": "s"})
    with pytest.raises(RuntimeError):
        Fails.as_view()(request)
    reported = SafeExceptionReporterFilter().get_post_parameters(request)
    assert set(reported.values()) == {SafeExceptionReporterFilter.cleansed_substitute}
