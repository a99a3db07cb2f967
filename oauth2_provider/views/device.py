"""The device flow's endpoint and pages (RFC 8628 sections 3.1 and 3.3)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.generic import DetailView, FormView, View

from ..compat import called_by_clients, login_exempt
from ..flows import authentication, device
from ..models import get_device_grant_model
from ..oauth2_servers import DeviceAuthorizationServer
from ..scopes import get_scopes_backend
from ..settings import oauth2_settings
from ..throttling import seconds_left, seconds_to_wait
from .mixins import AuthorizationServerViewMixin, FormEncodedRequestMixin, ThrottledEndpointMixin

USER_CODES = "user_code"
"""The endpoint in THROTTLE_RATES that wrong user codes count for."""


@called_by_clients
class DeviceAuthorizationView(
    FormEncodedRequestMixin, ThrottledEndpointMixin, AuthorizationServerViewMixin, View
):
    """The device authorization endpoint (section 3.1)."""

    throttle_scope = "device"
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        validator = self.get_validator_class()()
        server = DeviceAuthorizationServer(validator, _verification_uri(request))
        core = self.get_oauthlib_backend_class()(server)
        headers, body, status = core.create_device_authorization_response(request)
        return HttpResponse(body, status=status, headers=headers)


class DeviceGrantForm(forms.Form):
    """Asks for the user code; `device_grant` is the grant that it stands for, once the form is valid."""

    user_code = forms.CharField(
        label=_("Code"),
        max_length=100,
        help_text=_("It is on your device. Capitals and dashes do not matter."),
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "class": "code",
            }
        ),
        error_messages={"required": _("Enter the code that your device shows.")},
    )

    def __init__(self, *args: Any, user: Any = None, **kwargs: Any) -> None:
        """Take the user who enters the code."""
        super().__init__(*args, **kwargs)
        self.user = user
        self.device_grant: Any = None

    def clean_user_code(self) -> str:
        """Return the code. Wrong ones are counted: after some, the right one is not looked for (section 5.1)."""
        typed: str = self.cleaned_data["user_code"]
        guesser = f"user {getattr(self.user, 'pk', None)}"
        if seconds_left(USER_CODES, guesser):
            raise ValidationError(_("These were too many wrong codes. Try again later."), code="throttled")
        self.device_grant = device.find_pending(typed, self.user)
        if self.device_grant is None:
            seconds_to_wait(USER_CODES, guesser)
            raise ValidationError(
                _("No device waits under this code. Check it, or have your device show a new one."),
                code="unknown",
            )
        return typed


@login_exempt
@method_decorator(xframe_options_deny, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class DeviceUserCodeView(LoginRequiredMixin, FormView):
    """Asks the user for the code on the device (section 3.3); `?user_code=` fills it in (section 3.3.1)."""

    template_name = "oauth2_provider/device/user_code.html"
    form_class = DeviceGrantForm

    def get_initial(self) -> dict[str, Any]:
        return {"user_code": self.request.GET.get("user_code", "")}

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.request.user}

    def get_success_url(self) -> str:
        return _url("device-confirm", self.device_grant)

    def form_valid(self, form: DeviceGrantForm) -> HttpResponse:
        """Have the user be the one who answers, and go on to the question."""
        self.device_grant = form.device_grant
        if not device.claim(self.device_grant, self.request.user):
            form.add_error(
                "user_code", _("Someone else has entered this code. Have your device show a new one.")
            )
            return self.form_invalid(form)
        return HttpResponseRedirect(self.get_success_url())


class DeviceConfirmForm(forms.Form):
    """What the user says: `action` is "accept", or anything else for no."""

    action = forms.CharField(widget=forms.HiddenInput)


class OwnDeviceGrantMixin(LoginRequiredMixin):
    """Finds the grant of the URL, which must be one whose code this user entered; 404 otherwise.

    `application` is its client afterwards; there is no grant without one.
    """

    kwargs: dict[str, Any]
    request: HttpRequest
    application: Any

    def get_object(self, queryset: Any = None) -> Any:
        grant = device.find_claimed(self.kwargs["client_id"], self.kwargs["user_code"], self.request.user)
        self.application = device.find_application(grant) if grant is not None else None
        if self.application is None:
            raise Http404("There is no such device grant.")
        grant.is_expired()
        return grant


@login_exempt
@method_decorator(xframe_options_deny, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class DeviceConfirmView(OwnDeviceGrantMixin, FormView):
    """Asks the user whether the device may have what it asks for."""

    template_name = "oauth2_provider/device/accept_deny.html"
    form_class = DeviceConfirmForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.object = self.get_object()
        if self.object.status != self.object.AUTHORIZATION_PENDING:
            return HttpResponseRedirect(self.get_success_url())
        return super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.object = self.get_object()
        return super().post(request, *args, **kwargs)

    def get_success_url(self) -> str:
        return _url("device-grant-status", self.object)

    def form_valid(self, form: DeviceConfirmForm) -> HttpResponse:
        """Keep the answer. One that comes too late, or a second one, changes nothing: the next page says what is."""
        login = authentication.from_session(self.request.session)
        is_allowed = form.cleaned_data["action"] == "accept"
        device.decide(self.object, allow=is_allowed, authentication=login.as_text())
        return HttpResponseRedirect(self.get_success_url())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        descriptions = get_scopes_backend().get_all_scopes()
        scopes = self.object.scope.split()
        return super().get_context_data(
            object=self.object,
            application=self.application,
            scopes=scopes,
            scopes_descriptions=[descriptions.get(scope, scope) for scope in scopes],
            resource=self.object.resource or [],
            **kwargs,
        )


@login_exempt
@method_decorator(never_cache, name="dispatch")
class DeviceGrantStatusView(OwnDeviceGrantMixin, DetailView):
    """Tells the user what became of the device."""

    template_name = "oauth2_provider/device/device_grant_status.html"

    def get_queryset(self) -> Any:
        """Return the user's grants."""
        return get_device_grant_model()._default_manager.filter(user=self.request.user)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(application=self.application, **kwargs)


def _verification_uri(request: HttpRequest) -> str:
    return request.build_absolute_uri(
        oauth2_settings.OAUTH_DEVICE_VERIFICATION_URI or reverse("oauth2_provider:device")
    )


def _url(name: str, grant: Any) -> str:
    """Return the URL of a page about `grant`."""
    user_code = device.normalised_user_code(grant.user_code)
    return reverse(f"oauth2_provider:{name}", args=[device.slug_of(grant.client_id), user_code])
