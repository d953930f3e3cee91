"""The form for uploads: settings of a meeting, and the browser's description of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from inference.media.raw_formats import ENDINGS, UNTOLD
from meetings.models import MAX_FILE_NAME, Meeting
from meetings.store.summary_attempts import LONGEST_INTERVAL_S
from meetings.store.uploads import Announced
from meetings.text import one_line
from meetings.web.meeting_forms import MeetingForm
from meetings.web.reading_fields import FORMAT_CHOICES, TRACK_CHOICES

NO_RECORDING = ("image", "text", "font", "message", "model")
"""Main MIME types that contain no audio; a worker checks all others."""


def gigabytes(size: int) -> str:
    """Format with 10⁹ bytes per GB, as disks are sold and the setting counts."""
    return f"{size / 1e9:.3g} GB"


class UploadForm(MeetingForm):
    """The form for one file, whose name becomes the meeting's title."""

    summary_every_s = None  # type: ignore[assignment]
    name = forms.CharField(max_length=MAX_FILE_NAME, widget=forms.HiddenInput)
    size = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    modified = forms.IntegerField(min_value=0, max_value=2**53, widget=forms.HiddenInput)
    type = forms.CharField(max_length=200, required=False, widget=forms.HiddenInput)
    summary = forms.BooleanField(label=_("Write a summary"), required=False)
    track = forms.ChoiceField(label=_("Audio track of a film"), choices=TRACK_CHOICES, required=False)
    input_format = forms.ChoiceField(
        label=_("Format of a telephone recording without a header"), choices=FORMAT_CHOICES, required=False
    )
    speaker_per_channel = forms.BooleanField(
        label=_("Each channel is a speaker"),
        required=False,
        help_text=_("For calls and interviews that have everybody on a channel of their own."),
    )

    class Meta(MeetingForm.Meta):
        fields: tuple[str, ...] = (
            "language",
            "spoken_languages",
            "vocabulary",
            "languages",
            "expected_speakers",
            "keep_recording",
        )
        help_texts: ClassVar[dict[str, str | Promise]] = {
            **MeetingForm.Meta.help_texts,
            "keep_recording": _("Otherwise it is deleted once it is captioned."),
        }

    @property
    def announced(self) -> Announced:
        """The browser's description of the file."""
        chosen = self.cleaned_data
        return Announced(
            chosen["name"],
            chosen["size"],
            chosen["modified"],
            chosen["input_format"],
            chosen["track"],
            chosen["speaker_per_channel"],
        )

    @property
    def first_error(self) -> str:
        """One message for the row of the file."""
        return next((str(error) for errors in self.errors.values() for error in errors), "")

    def clean_size(self) -> int:
        size: int = self.cleaned_data["size"]
        limit: int = settings.ENVIRONMENT.upload_limit
        if size == 0:
            raise forms.ValidationError(gettext("This file is empty."))
        if size > limit:
            raise forms.ValidationError(
                gettext("This file is larger than %(limit)s, the most that may be uploaded here.")
                % {"limit": gigabytes(limit)}
            )
        return size

    def clean_type(self) -> str:
        kind: str = self.cleaned_data["type"]
        ending = Path(self.data.get("name", "")).suffix.lower()
        is_known = ending in ENDINGS or ending in UNTOLD  # to browsers, `.raw` is a photograph
        if kind.partition("/")[0] in NO_RECORDING and not is_known:
            raise forms.ValidationError(gettext("This is not a recording. Choose an audio or video file."))
        return kind

    def clean(self) -> dict[str, Any]:
        """Use the file's name as title, and write the summary at the end instead of by interval."""
        cleaned = super().clean()
        title_length: int = Meeting._meta.get_field("title").max_length or MAX_FILE_NAME
        # Without a name the form is invalid; only the name gets the error, as there is no field for one about the
        # title.
        self.instance.title = one_line(cleaned.get("name", ""))[:title_length] or "?"
        self.instance.allow_downloads = True
        if cleaned.get("summary"):
            self.instance.summary_every_s = LONGEST_INTERVAL_S
        return cleaned
