"""The form for uploads: settings of a meeting, and the browser's description of the file."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from meetings.models import MAX_FILE_NAME, Meeting
from meetings.store.summaries import LONGEST_INTERVAL_S
from meetings.store.uploads import Announced
from meetings.web.meeting_forms import MeetingForm

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
        return Announced(self.cleaned_data["name"], self.cleaned_data["size"], self.cleaned_data["modified"])

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
        if kind.partition("/")[0] in NO_RECORDING:
            raise forms.ValidationError(gettext("This is no recording. Choose an audio or video file."))
        return kind

    def clean(self) -> dict[str, Any]:
        """Use the file's name as title, and write the summary at the end instead of by interval."""
        cleaned = super().clean()
        title_length: int = Meeting._meta.get_field("title").max_length or MAX_FILE_NAME
        # Without a name the form is invalid; only the name gets the error, as there is no field for one about the
        # title.
        self.instance.title = cleaned.get("name", "?")[:title_length]
        self.instance.allow_downloads = True
        if cleaned.get("summary"):
            self.instance.summary_every_s = LONGEST_INTERVAL_S
        return cleaned
