"""The provider's forms."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .flows.client_secrets import live_secrets
from .generators import generate_client_id, generate_client_secret
from .hashers import is_hashed_secret
from .models.application import AbstractApplication


class AllowForm(forms.Form):
    """The consent form: the user's decision, and what it is about, signed.

    The parameters of the request stand beside the signature for templates that show them; only `consent` counts.
    """

    allow = forms.BooleanField(required=False)
    redirect_uri = forms.CharField(required=False, widget=forms.HiddenInput())
    scope = forms.CharField(required=False, widget=forms.HiddenInput())
    nonce = forms.CharField(required=False, widget=forms.HiddenInput())
    client_id = forms.CharField(widget=forms.HiddenInput())
    state = forms.CharField(required=False, widget=forms.HiddenInput())
    response_type = forms.CharField(required=False, widget=forms.HiddenInput())
    code_challenge = forms.CharField(required=False, widget=forms.HiddenInput())
    code_challenge_method = forms.CharField(required=False, widget=forms.HiddenInput())
    claims = forms.CharField(required=False, widget=forms.HiddenInput())
    resource = forms.CharField(required=False, widget=forms.HiddenInput())
    consent = forms.CharField(required=False, widget=forms.HiddenInput())


class ConfirmLogoutForm(forms.Form):
    """The user's decision to log out, and what the client asked for (RP-Initiated Logout 1.0 section 2)."""

    allow = forms.BooleanField(required=False)
    id_token_hint = forms.CharField(required=False, widget=forms.HiddenInput())
    logout_hint = forms.CharField(required=False, widget=forms.HiddenInput())
    client_id = forms.CharField(required=False, widget=forms.HiddenInput())
    post_logout_redirect_uri = forms.CharField(required=False, widget=forms.HiddenInput())
    state = forms.CharField(required=False, widget=forms.HiddenInput())
    ui_locales = forms.CharField(required=False, widget=forms.HiddenInput())

    def __init__(self, *args: Any, request: Any = None, **kwargs: Any) -> None:
        """Take the HttpRequest too, for subclasses that want to know it."""
        super().__init__(*args, **kwargs)
        self.request = request


CLIENT_ID = RegexValidator(
    r"\A[!-9;-~]+\Z", _("Letters, digits and punctuation of ASCII, without spaces and colons.")
)
"""RFC 6749 appendix A.1, without the colon that ends a user name in HTTP Basic (RFC 7617 section 2)."""
URI_LISTS = ("redirect_uris", "post_logout_redirect_uris", "allowed_origins")


class ApplicationForm(forms.ModelForm):
    """Registers or edits an application; views make it a form of the site's application model and fields.

    The stored client secret is never in the form. One that is typed in takes its place; an empty field keeps it, and
    has a new one made where `new_client_secret` is ticked or a confidential client has none. After validation
    `generated_secret` is the secret that was made, else None.
    """

    field_order = ("name", "client_id", "client_secret", "new_client_secret")
    new_client_secret = forms.BooleanField(
        required=False,
        label=_("Make a new client secret"),
        help_text=_("The present one stops working at once."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.generated_secret: str | None = None
        self._stored_secret: str = self.instance.client_secret if self.instance.pk else ""
        self._stored_client_id = self.instance.client_id if self.instance.pk else None
        if not self.instance.pk:
            del self.fields["new_client_secret"]
        self._init_client_id()
        self._init_client_secret_help()
        self._init_hs256_warning()
        self._init_uri_lists()

    def _init_client_id(self) -> None:
        if "client_id" not in self.fields:
            return
        field = self.fields["client_id"]
        field.required = False
        field.show_hidden_initial = False
        field.widget.attrs.update({"autocomplete": "off", "spellcheck": "false"})

    def _init_uri_lists(self) -> None:
        for name in filter(self.fields.__contains__, URI_LISTS):
            self.fields[name].widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})
            self.fields[name].help_text = _("One to a line.")
            self.initial[name] = "\n".join((self.initial.get(name) or "").split())

    def _init_client_secret_help(self) -> None:
        """Keep the secret out of the page, and say what an empty field means."""
        if "client_secret" not in self.fields:
            self.fields.pop("new_client_secret", None)
            return
        field = self.fields["client_secret"]
        field.required = False
        field.show_hidden_initial = False
        field.initial = self.initial["client_secret"] = ""
        field.widget.attrs.update({"autocomplete": "off", "spellcheck": "false"})
        if self._stored_secret:
            field.help_text = _("Leave it empty to keep the present secret.")
        else:
            field.help_text = _("Leave it empty to have one made. It is shown once, after saving.")

    def _init_hs256_warning(self) -> None:
        """Say beside the algorithm, and beside the hashing, what HS256 asks of the client secret."""
        if "hash_client_secret" in self.fields:
            self.fields["hash_client_secret"].help_text = _("Leave it on, unless the algorithm is HS256.")
        if "algorithm" in self.fields:
            self.fields["algorithm"].help_text = _(
                "HS256 signs with the client secret: such a secret is stored as it is, readable for who reads the "
                "database. It takes a confidential client and a secret that is not hashed."
            )

    def clean_client_id(self) -> str:
        client_id: str = self.cleaned_data["client_id"] or generate_client_id()
        if client_id != self._stored_client_id:
            CLIENT_ID(client_id)
        return client_id

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        cleaned.update({name: " ".join(cleaned[name].split()) for name in URI_LISTS if name in cleaned})
        if "client_secret" not in self.fields or "client_secret" in self.errors:
            return cleaned
        typed = cleaned.get("client_secret") or ""
        if typed and typed != self._stored_secret and is_hashed_secret(typed):
            self.add_error("client_secret", _("This is the hash of a secret. Type in the secret itself."))
        cleaned["client_secret"] = typed or self._kept_or_made(cleaned)
        if not self._will_hash_client_secret() and is_hashed_secret(cleaned["client_secret"]):
            self.add_error(
                "client_secret",
                _("The present secret is stored as a hash and cannot be read again. Give a new one."),
            )
        return cleaned

    def _kept_or_made(self, cleaned: dict[str, Any]) -> str:
        """Return the secret of a form whose field is empty."""
        is_public = cleaned.get("client_type") == AbstractApplication.CLIENT_PUBLIC
        has_one = self._stored_secret or (self.instance.pk and live_secrets(self.instance).exists())
        is_wanted = cleaned.get("new_client_secret") or not (has_one or is_public)
        if not is_wanted:
            return self._stored_secret
        self.generated_secret = generate_client_secret()
        return self.generated_secret

    def _will_hash_client_secret(self) -> bool:
        """Tell whether saving hashes the secret: what the form says, else what the application has."""
        if "hash_client_secret" in self.fields:
            return bool(self.cleaned_data.get("hash_client_secret"))
        return bool(self.instance.hash_client_secret)

    def add_error(self, field: str | None, error: Any) -> None:
        """Put an error of the whole model beside the field it speaks of; one of a field left out goes on top."""
        if field is not None or not isinstance(error, ValidationError):
            super().add_error(field, error)
            return
        by_field = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
        for name, single in ((name, single) for name, errors in by_field.items() for single in errors):
            super().add_error(name if name in self.fields else self._field_of(single), single)

    def _field_of(self, error: ValidationError) -> str | None:
        """Return the field whose URI the error complains of, or that lacks one; None for any other error."""
        params = error.params or {}
        names = [name for name in URI_LISTS if name in self.fields]
        if "grant_type" in params:
            names = [name for name in names if name == "redirect_uris"]
        elif "value" in params:
            names = [
                name for name in names if str(params["value"]) in (self.data.get(self.add_prefix(name)) or "")
            ]
        else:
            names = []
        return names[0] if names else None


class RevokeAccessForm(forms.Form):
    """The user's decision to end one authorization, or all that one application has."""

    everything = forms.BooleanField(
        required=False,
        label=_("Also end everything else that I have granted to this application"),
    )


class ClientSecretForm(forms.Form):
    """Asks for a further client secret: its name, and the last day on which it works."""

    name = forms.CharField(
        label=_("Name"), max_length=255, help_text=_("Where it will be used, so that you know it again.")
    )
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("The secret stops working at the end of this day. Leave it empty, and it never does."),
    )

    def clean_last_day(self) -> date | None:
        last_day: date | None = self.cleaned_data["last_day"]
        if last_day is not None and last_day < timezone.localdate():
            raise ValidationError(_("This day is over."))
        return last_day

    @property
    def expires(self) -> datetime | None:
        """The end of the last day in the current time zone."""
        last_day = self.cleaned_data["last_day"]
        if last_day is None:
            return None
        return timezone.make_aware(datetime.combine(last_day + timedelta(days=1), time.min))
