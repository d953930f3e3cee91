"""Fields of the audio endpoints, as in OpenAI's API (https://platform.openai.com/docs/api-reference/audio)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings

from meetings.languages import AUTO, LANGUAGES, language_code
from meetings.models import MAX_FILE_NAME, MAX_VOCABULARY, Meeting
from meetings.offers import offered_targets, why_unreadable
from meetings.request_limits import MAX_RECORDING_BODY
from meetings.store.uploads import Announced
from meetings.web.reading_fields import ReadingForm

RESPONSE_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("segment", "word")

ENGLISH = "en"
"""What `/v1/audio/translations` translates into."""

UNKNOWN = "unknown_parameter"
UNKNOWN_SHOWN = 64
"""Characters of an unknown field's name that a sentence repeats."""


class ListField(forms.Field):
    """A field that is sent as `name[]`, once for each value; `name` is taken too. Its value is a list of texts."""

    widget = forms.MultipleHiddenInput

    def __init__(self, *choices: str) -> None:
        """Without choices any text is taken."""
        super().__init__(required=False)
        self._choices = choices

    def clean(self, value: Any) -> list[str]:
        texts = [text.strip() for text in value or () if text.strip()]
        odd = next((text for text in texts if self._choices and text not in self._choices), None)
        if odd is not None:
            raise forms.ValidationError(f"{odd[:20]!r} is none of {', '.join(self._choices)}.")
        return texts


class AudioForm(ReadingForm):
    """What both endpoints take. `model`, `temperature` and `chunking_strategy` are ignored: the server chooses."""

    task: str
    file = forms.FileField(max_length=None)
    model = forms.CharField(required=False)
    language = forms.CharField(required=False)
    prompt = forms.CharField(required=False)
    response_format = forms.CharField(required=False)
    temperature = forms.FloatField(required=False)
    stream = forms.CharField(required=False)
    chunking_strategy = forms.CharField(required=False)
    formats: tuple[str, ...] = RESPONSE_FORMATS

    def __init__(self, data: Any, files: Any) -> None:
        super().__init__(data, files)
        self.unknown = next((name for name in (*data, *files) if _plain(name) not in self.fields), "")

    def add_prefix(self, field_name: str) -> str:
        """Return the name under which the field was sent: lists have brackets."""
        return f"{field_name}[]" if f"{field_name}[]" in self.data else field_name

    def clean_language(self) -> str:
        text = self.cleaned_data["language"]
        return AUTO if language_code(text or AUTO) == AUTO else spoken_code(text)

    def clean_prompt(self) -> str:
        return end_of(self.cleaned_data["prompt"])

    def clean_response_format(self) -> str:
        name = self.cleaned_data["response_format"] or "json"
        if name not in self.formats:
            raise forms.ValidationError(f"There is no format {name[:20]!r}; use one of {', '.join(self.formats)}.")
        return name

    def clean_stream(self) -> bool:
        return is_true(self.cleaned_data["stream"])

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
            chosen.get("second_pass", False),
        )

    def meeting(self, owner_id: int) -> Meeting:
        """Return a meeting that is kept no longer than its job."""
        chosen = self.cleaned_data
        return Meeting(
            title=self.announced.name[:200],
            owner_id=owner_id,
            language=chosen["language"],
            vocabulary=chosen["prompt"],
            is_ephemeral=True,
        )

    @property
    def result_options(self) -> dict[str, Any]:
        """How the result is wanted (`meetings.web.api_results`)."""
        return {"task": self.task, "response_format": self.cleaned_data["response_format"]}

    @property
    def options(self) -> dict[str, Any]:
        """Everything that changes the result, beside the recording."""
        names = ("language", "prompt", "input_format", "track", "speaker_per_channel")
        ending = Path(self.announced.name).suffix.lower()  # says what a file without a header holds
        return {**self.result_options, **{name: self.cleaned_data[name] for name in names}, "ending": ending}

    @property
    def first_error(self) -> tuple[str, str, str]:
        """The code, the field and its sentence."""
        if self.unknown:
            name = self.unknown[:UNKNOWN_SHOWN]
            return UNKNOWN, name, f"Unknown parameter: {name!r}."
        field, errors = next(iter(self.errors.items()))
        return "invalid_request", field, f"{field}: {errors[0]}"

    def is_valid(self) -> bool:
        return not self.unknown and super().is_valid()


class TranscriptionForm(AudioForm):
    """Takes `languages[]` and `keywords[]` of OpenAI's newer models too."""

    task = "transcribe"
    formats = (*RESPONSE_FORMATS, "diarized_json")
    timestamp_granularities = ListField(*GRANULARITIES)
    languages = ListField()
    second_pass = forms.CharField(required=False)
    keywords = ListField()

    def clean_languages(self) -> list[str]:
        return sorted({spoken_code(text) for text in self.cleaned_data["languages"]})

    def clean_second_pass(self) -> bool:
        return is_true(self.cleaned_data["second_pass"])

    def meeting(self, owner_id: int) -> Meeting:
        meeting = super().meeting(owner_id)
        languages, keywords = self.cleaned_data["languages"], self.cleaned_data["keywords"]
        meeting.vocabulary = end_of(", ".join(filter(None, (meeting.vocabulary, *keywords))))
        if meeting.language == AUTO and len(languages) == 1:
            meeting.language = languages[0]
        elif meeting.language == AUTO:
            meeting.spoken_languages = languages
        return meeting

    @property
    def options(self) -> dict[str, Any]:
        chosen = self.cleaned_data
        return {**super().options, **{name: chosen[name] for name in ("languages", "keywords", "second_pass")}}

    @property
    def result_options(self) -> dict[str, Any]:
        return {**super().result_options, "words": "word" in self.cleaned_data["timestamp_granularities"]}


class TranslationForm(AudioForm):
    task = "translate"

    def clean_language(self) -> str:
        """Refuse a language that the models do not translate: what was said would pass for its translation."""
        language = super().clean_language()
        if language not in (AUTO, ENGLISH) and ENGLISH not in offered_targets(settings.ENVIRONMENT, language):
            raise forms.ValidationError(why_unreadable(settings.ENVIRONMENT, language, ENGLISH))
        return language

    def clean_stream(self) -> bool:
        if super().clean_stream():
            raise forms.ValidationError("Translations are not streamed.")
        return False

    def meeting(self, owner_id: int) -> Meeting:
        meeting = super().meeting(owner_id)
        meeting.languages = [ENGLISH]
        return meeting


def is_true(text: str) -> bool:
    return text.lower() in ("true", "1")


def spoken_code(text: str) -> str:
    """Return the code of a language that is heard here. Raises ValidationError."""
    code = language_code(text)
    if code not in LANGUAGES:
        raise forms.ValidationError(f"{text[:20]!r} is no language here; use an ISO 639-1 code such as en, pt, es.")
    return code


def end_of(text: str) -> str:
    """Cut the front, as OpenAI does: the end of the preceding text says most. Its first whole word begins it."""
    if len(text) <= MAX_VOCABULARY:
        return text
    kept = text[-MAX_VOCABULARY:]
    return re.sub(r"^[^\s,]*[\s,]+", "", kept) or kept


def _plain(name: str) -> str:
    """Return a field's name without the brackets of lists and objects."""
    return name.partition("[")[0]
