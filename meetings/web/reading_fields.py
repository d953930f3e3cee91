"""How a recording is to be read: choices of the upload page, and form fields of the endpoints for programs."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from inference.media.options import ALL_TRACKS, UnknownTrack, track_options
from inference.media.protocol import MAX_TRACKS
from inference.media.raw_formats import ENDINGS, UNTOLD, UnknownInputFormat, raw_format

TRACK_CHOICES = [
    ("", _("Those on which people speak")),
    (ALL_TRACKS, _("All, mixed")),
    *((str(number), str(number)) for number in range(1, MAX_TRACKS + 1)),
]

FORMAT_CHOICES = [
    ("", _("As the file says")),
    ("mulaw", "µ-law, 8 kHz"),
    ("alaw", "A-law, 8 kHz"),
    ("g722", "G.722"),
    ("gsm", "GSM"),
    *((f"s16le@{rate}", f"PCM, 16 bit, {rate / 1000:g} kHz") for rate in (8_000, 16_000, 22_050, 44_100, 48_000)),
    ("s16le@44100/2", "PCM, 16 bit, 44.1 kHz, stereo"),
    ("s16le@48000/2", "PCM, 16 bit, 48 kHz, stereo"),
]

HEADERLESS = ",".join(sorted({*ENDINGS, *UNTOLD}))
"""Endings that browsers do not know as recordings."""


class ReadingForm(forms.Form):
    """Which track, which format, and whether channels are speakers."""

    track = forms.CharField(required=False)
    input_format = forms.CharField(required=False)
    speaker_per_channel = forms.BooleanField(required=False)

    def clean_track(self) -> str:
        try:
            track_options(self.cleaned_data["track"])
        except UnknownTrack as error:
            raise forms.ValidationError(str(error)) from error
        return str(self.cleaned_data["track"]).strip().lower()

    def clean_input_format(self) -> str:
        text = str(self.cleaned_data["input_format"]).strip().lower()
        try:
            return text if not text or raw_format(text) else ""
        except UnknownInputFormat as error:
            raise forms.ValidationError(str(error)) from error
