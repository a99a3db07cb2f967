"""The provider's forms."""

from __future__ import annotations

from django import forms


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
