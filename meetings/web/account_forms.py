"""Forms of an account: API tokens and webhooks."""

from __future__ import annotations

from typing import ClassVar

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from meetings.models import ApiToken, Webhook
from meetings.safe_http import ForbiddenAddress, check_address
from meetings.store.webhooks import MAX_WEBHOOKS


class TokenForm(forms.ModelForm[ApiToken]):
    """The token's name in the list."""

    class Meta:
        model = ApiToken
        fields = ("name",)
        labels: ClassVar = {"name": _("Name of the program")}
        widgets: ClassVar = {"name": forms.TextInput(attrs={"autocomplete": "off"})}


class WebhookForm(forms.ModelForm[Webhook]):
    """The address for notifications. The instance already has its user, who may have at most MAX_WEBHOOKS of them."""

    url = forms.URLField(
        label=_("Address"), max_length=500, assume_scheme="https", widget=forms.URLInput(attrs={"autocomplete": "off"})
    )

    class Meta:
        model = Webhook
        fields = ("url",)

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            check_address(url, is_private_allowed=settings.ENVIRONMENT.private_webhooks)
        except ForbiddenAddress as error:
            raise forms.ValidationError(str(error)) from error
        if Webhook.objects.filter(user=self.instance.user).count() >= MAX_WEBHOOKS:
            raise forms.ValidationError(
                gettext("You have %(count)d addresses, the most that are allowed.") % {"count": MAX_WEBHOOKS}
            )
        return url
