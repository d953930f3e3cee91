"""The form for a new meeting."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from meetings.languages import AUTO, LANGUAGES, named_languages, spoken_choices
from meetings.models import Meeting
from meetings.offers import offered_targets, readable_languages, translator_label, why_unreadable
from meetings.store import second_passes

SUMMARY_CHOICES = (
    (None, _("Off")),
    (600, _("Every 10 minutes")),
    (900, _("Every 15 minutes")),
    (1800, _("Every 30 minutes")),
)
"""Seconds; summaries of less time would say little."""


def detectable_choices() -> list[tuple[str, str]]:
    """Return every language that can be recognised."""
    return named_languages(LANGUAGES)


def offered_choices() -> list[tuple[str, str]]:
    """Return every language that some speech can be translated into here."""
    return named_languages(readable_languages(settings.ENVIRONMENT, AUTO))


class MeetingForm(forms.ModelForm[Meeting]):
    """The host's settings of a meeting; everything but the title has a default."""

    language = forms.ChoiceField(
        label=_("Spoken language"),
        choices=spoken_choices,
        initial="en",
        help_text=_("Captions are more accurate when you choose the language."),
    )
    spoken_languages = forms.MultipleChoiceField(
        label=_("Languages that may be spoken"),
        choices=detectable_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("The fewer, the better they are told apart. None: any language."),
    )
    languages = forms.MultipleChoiceField(
        label=_("Languages offered to viewers"),
        choices=offered_choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    summary_every_s = forms.TypedChoiceField(
        label=_("Summaries"),
        choices=SUMMARY_CHOICES,
        required=False,
        coerce=int,
        empty_value=None,
    )

    class Meta:
        model = Meeting
        fields: tuple[str, ...] = (
            "title",
            "language",
            "spoken_languages",
            "vocabulary",
            "languages",
            "expected_speakers",
            "summary_every_s",
            "allow_transcript",
            "allow_downloads",
            "keep_recording",
            "is_read_again",
            "is_ephemeral",
        )
        labels: ClassVar[dict[str, str | Promise]] = {
            "title": _("Title"),
            "vocabulary": _("Names and jargon"),
            "expected_speakers": _("How many people speak?"),
            "allow_transcript": _("Viewers may read the transcript later"),
            "allow_downloads": _("Viewers may download the transcript"),
            "keep_recording": _("Keep the recording"),
            "is_read_again": _("Keep the sound until the transcript has been read again"),
            "is_ephemeral": _("Do not store this meeting"),
        }
        error_messages: ClassVar[dict[str, dict[str, str | Promise]]] = {
            "title": {"required": _("Give the meeting a title.")}
        }
        help_texts: ClassVar[dict[str, str | Promise]] = {
            "vocabulary": _("Words that are easy to mishear, separated by commas or lines."),
            "expected_speakers": _("Leave empty to detect automatically."),
            "allow_transcript": _("And hear the recording, where it is kept; as long as their link is valid."),
            "allow_downloads": "",
            "keep_recording": _("Otherwise audio is deleted a minute after it is captioned."),
            "is_read_again": _("The second reading corrects the captions after the end; then the sound is deleted."),
            "is_ephemeral": _("Captions, names and summaries are deleted a minute after the end."),
        }
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "title": forms.TextInput(attrs={"autocomplete": "off", "placeholder": _("Weekly planning")}),
            "vocabulary": forms.Textarea(attrs={"rows": 3, "placeholder": "Valkey, Quintela, RTF"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not second_passes.is_on():
            self.fields.pop("is_read_again", None)
        if offered := self.fields.get("languages"):  # absent in the admin of a user who may only read
            offered.help_text = gettext("What %(models)s can translate.") % {
                "models": translator_label(settings.ENVIRONMENT)
            }

    def clean(self) -> dict[str, Any]:
        """Drop settings that exclude each other, such as languages to detect with a fixed spoken language."""
        cleaned = super().clean() or self.cleaned_data
        spoken = cleaned.get("language")
        if spoken != AUTO and "spoken_languages" in cleaned:
            cleaned["spoken_languages"] = []
        if cleaned.get("is_ephemeral"):
            cleaned["keep_recording"] = cleaned["allow_transcript"] = False
            if "is_read_again" in cleaned:
                cleaned["is_read_again"] = False
        if spoken is not None and "languages" in cleaned:
            cleaned["languages"] = self._offered(spoken, cleaned["languages"])
        return cleaned

    def _offered(self, spoken: str, languages: list[str]) -> list[str]:
        """Return the languages without the spoken one, which is always available; add an error for unavailable ones."""
        others = [code for code in languages if code != spoken]
        targets = offered_targets(settings.ENVIRONMENT, spoken)
        for sentence in dict.fromkeys(
            why_unreadable(settings.ENVIRONMENT, spoken, code) for code in others if code not in targets
        ):
            self.add_error("languages", sentence)
        return others
