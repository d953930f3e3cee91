"""The form that makes a meeting."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from meetings.languages import offered_choices, spoken_choices
from meetings.models import Meeting

SUMMARY_CHOICES = ((None, "Off"), (600, "Every 10 minutes"), (900, "Every 15 minutes"), (1800, "Every 30 minutes"))
"""Seconds; shorter ones would say little."""


class MeetingForm(forms.ModelForm[Meeting]):
    """What the host chooses before a meeting; everything but the title has a sensible value."""

    language = forms.ChoiceField(
        label="Spoken language", choices=spoken_choices, initial="en", help_text="A stated language is heard better."
    )
    languages = forms.MultipleChoiceField(
        label="Languages offered to viewers",
        choices=offered_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    summary_every_s = forms.TypedChoiceField(
        label="Summaries",
        choices=SUMMARY_CHOICES,
        required=False,
        coerce=int,
        empty_value=None,
    )

    class Meta:
        model = Meeting
        fields = (
            "title",
            "language",
            "vocabulary",
            "languages",
            "summary_every_s",
            "allow_downloads",
            "keep_recording",
        )
        labels: ClassVar[dict[str, str]] = {
            "vocabulary": "Names and jargon",
            "allow_downloads": "Viewers may download the transcript",
            "keep_recording": "Keep the recording",
        }
        help_texts: ClassVar[dict[str, str]] = {
            "vocabulary": "Words that are easy to mishear, separated by commas or lines.",
            "allow_downloads": "",
            "keep_recording": "Otherwise audio is deleted as soon as it is captioned.",
        }
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "title": forms.TextInput(attrs={"autocomplete": "off", "placeholder": "Weekly planning"}),
            "vocabulary": forms.Textarea(attrs={"rows": 3, "placeholder": "Valkey, Quintela, RTF"}),
        }

    def clean(self) -> dict[str, Any]:
        """The spoken language is always there, so it is never stored among those offered beside it."""
        cleaned = super().clean() or self.cleaned_data
        if "languages" in cleaned:
            cleaned["languages"] = [code for code in cleaned["languages"] if code != cleaned.get("language")]
        return cleaned
