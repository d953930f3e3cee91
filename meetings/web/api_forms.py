"""Fields of the transcriptions endpoint, as in OpenAI's API (https://platform.openai.com/docs/api-reference/audio)."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings

from meetings.languages import AUTO, LANGUAGES, language_code
from meetings.models import MAX_FILE_NAME, MAX_VOCABULARY, Meeting
from meetings.request_limits import MAX_RECORDING_BODY
from meetings.store.uploads import Announced
from meetings.web.reading_fields import ReadingForm

RESPONSE_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")


class TranscriptionForm(ReadingForm):
    """`model` and `temperature` are accepted and ignored, because the server chooses the model."""

    file = forms.FileField(max_length=None)
    model = forms.CharField(required=False)
    language = forms.CharField(required=False)
    prompt = forms.CharField(required=False)
    response_format = forms.ChoiceField(required=False, choices=[(name, name) for name in RESPONSE_FORMATS])
    temperature = forms.FloatField(required=False)
    stream = forms.CharField(required=False)

    def clean_language(self) -> str:
        code = language_code(self.cleaned_data["language"] or AUTO)
        if code is None or (code != AUTO and code not in LANGUAGES):
            raise forms.ValidationError("language is an ISO 639-1 code such as en, pt, es.")
        return code

    def clean_prompt(self) -> str:
        """Cut the front, as OpenAI does: the end of the preceding text says most. Its first whole word begins it."""
        prompt: str = self.cleaned_data["prompt"]
        if len(prompt) <= MAX_VOCABULARY:
            return prompt
        kept = prompt[-MAX_VOCABULARY:]
        return re.sub(r"^[^\s,]*[\s,]+", "", kept) or kept

    def clean_response_format(self) -> str:
        return self.cleaned_data["response_format"] or "json"

    def clean_stream(self) -> str:
        value: str = self.cleaned_data["stream"]
        if value.lower() in ("true", "1"):
            raise forms.ValidationError("Streaming is not offered here.")
        return value

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > min(MAX_RECORDING_BODY, settings.ENVIRONMENT.upload_limit):
            raise forms.ValidationError("The file is too large.")
        return file

    @property
    def announced(self) -> Announced:
        file = self.cleaned_data["file"]
        chosen = self.cleaned_data
        return Announced(
            (file.name or "recording")[:MAX_FILE_NAME],
            file.size,
            0,
            chosen["input_format"],
            chosen["track"],
            chosen["speaker_per_channel"],
        )

    def meeting(self, owner_id: int) -> Meeting:
        """Return a meeting that is not stored beyond its response."""
        chosen = self.cleaned_data
        return Meeting(
            title=self.announced.name[:200],
            owner_id=owner_id,
            language=chosen["language"],
            vocabulary=chosen["prompt"],
            is_ephemeral=True,
        )

    @property
    def first_error(self) -> tuple[str, str]:
        """The field and its message."""
        return next(((name, str(errors[0])) for name, errors in self.errors.items()), ("", ""))
