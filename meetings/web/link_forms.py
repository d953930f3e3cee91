"""Form for a meeting's links: password, expiry, renewal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.hashers import make_password
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from meetings.models import Meeting

SHORTEST_PASSWORD = 6
AS_IT_IS, NEVER = "as-it-is", "never"
EXPIRY_CHOICES = (
    (AS_IT_IS, _("No change")),
    (NEVER, _("Never")),
    ("1", _("In an hour")),
    ("8", _("In 8 hours")),
    ("24", _("In a day")),
    ("168", _("In a week")),
    ("720", _("In 30 days")),
)
"""Hours."""


class LinkForm(forms.Form):
    """Settings of a meeting's links."""

    password = forms.CharField(
        label=_("New password for viewers"),
        required=False,
        min_length=SHORTEST_PASSWORD,
        max_length=128,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Share it separately from the link. Leave empty to keep the current setting."),
    )
    is_open = forms.BooleanField(label=_("Remove the password"), required=False)
    expiry = forms.ChoiceField(label=_("Link expires"), choices=EXPIRY_CHOICES)
    is_renewed = forms.BooleanField(
        label=_("Replace the links"),
        required=False,
        help_text=_("Old links stop working and their viewers are disconnected."),
    )

    def apply(self, meeting: Meeting) -> None:
        """Store the settings."""
        chosen: dict[str, Any] = self.cleaned_data
        meeting.link_password = self._hashed(meeting.link_password)
        if chosen["expiry"] == NEVER:
            meeting.links_expire_at = None
        elif chosen["expiry"] != AS_IT_IS:
            meeting.links_expire_at = timezone.now() + timedelta(hours=int(chosen["expiry"]))
        meeting.link_generation += chosen["is_renewed"]
        meeting.save(update_fields=("link_password", "links_expire_at", "link_generation"))

    def _hashed(self, before: str) -> str:
        """Return the hash to store; empty: no password."""
        if self.cleaned_data["is_open"]:
            return ""
        given: str = self.cleaned_data["password"]
        return make_password(given) if given else before
