"""The form of a meeting in the admin: the host's settings, with an owner and the end of the viewers' links."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from meetings.languages import named_languages
from meetings.web.meeting_forms import MeetingForm, offered_choices

FIELDSETS: tuple[tuple[Any, Any], ...] = (
    (None, {"fields": ("title", "owner", "state")}),
    (
        _("Speech"),
        {"fields": ("language", "spoken_languages", "vocabulary", "expected_speakers", "languages", "summary_every_s")},
    ),
    (_("Viewers"), {"fields": ("allow_transcript", "allow_downloads", "links_expire_at")}),
    (_("What is kept"), {"fields": ("keep_recording", "is_ephemeral")}),
    (
        _("History"),
        {"fields": ("created_at", "started_at", "ended_at", "length", "lost", "id"), "classes": ("collapse",)},
    ),
)


class MeetingAdminForm(MeetingForm):
    """Accepts any interval between summaries, and keeps languages that the models of today do not offer."""

    summary_every_s = forms.IntegerField(  # type: ignore[assignment]
        label=_("Seconds between summaries"),
        required=False,
        min_value=1,
        help_text=_("Leave empty to write summaries only when asked."),
    )

    class Meta(MeetingForm.Meta):
        fields = (*MeetingForm.Meta.fields, "owner", "links_expire_at")
        labels: ClassVar[dict[str, str | Promise]] = {
            **MeetingForm.Meta.labels,
            "owner": _("Owner"),
            "links_expire_at": _("Viewers' link expires"),
        }
        help_texts: ClassVar[dict[str, str | Promise]] = {
            **MeetingForm.Meta.help_texts,
            "links_expire_at": _("Leave empty for a link that does not expire."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(offered := self.fields.get("languages"), forms.MultipleChoiceField):
            offered.choices = named_languages({*dict(offered_choices()), *self.instance.languages})

    def _offered(self, spoken: str, languages: list[str]) -> list[str]:
        """Judge only languages that were added: those of an old meeting may be offered no more."""
        added = [code for code in languages if code not in self.instance.languages]
        allowed = super()._offered(spoken, added)
        return [code for code in languages if code in allowed or (code not in added and code != spoken)]
