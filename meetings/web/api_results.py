"""Results of the audio endpoints in OpenAI's formats, as its Python client parses them (`openai.types.audio`)."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse

from inference.repetition import compression_ratio
from inference.text import join_passages
from meetings.accounts.api_errors import Refused
from meetings.export.cues import Cue, meeting_cues
from meetings.export.formats import render_cues
from meetings.languages import AUTO, LANGUAGES
from meetings.models import ApiJob, Caption, Meeting
from meetings.offers import speech_model_folder, why_unreadable
from meetings.web.api_forms import ENGLISH

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MISSING = "X-Parlance-Missing-Seconds"
"""Seconds of audio that could not be read; `unknown`: the file breaks off, and its length is unknown."""

NOTHING_HEARD = "X-Parlance-Nothing-Heard"
"""What a recording without captions holds, a value of `inference.speech.recorded_file.Sound`."""

UNTRANSLATED = "X-Parlance-Untranslated-Seconds"
"""Seconds of a translation's audio whose text stands as it was said, because the models cannot translate it."""

FILE_FORMATS = ("srt", "vtt")

WHISPER_NAMES = {"nn": "nynorsk", "my": "myanmar", "mi": "maori"}
"""Languages that OpenAI calls by other names than ours in lower case."""

LEAST_PROBABILITY = 1e-10
"""A logarithm needs more than zero."""


def result(job: ApiJob) -> HttpResponse:
    """Return the finished job's text in the wanted format. Raises Refused if nothing could be translated."""
    meeting = Meeting.objects.select_related("upload").get(pk=job.meeting_id)
    spoken = [cue for cue in meeting_cues(meeting) if cue.line]
    is_translation = job.options["task"] == "translate"
    cues = [cue.in_language(ENGLISH) for cue in spoken] if is_translation else spoken
    response = _document(job, meeting, spoken, cues)
    missing_s = meeting.upload.missing_s
    response[MISSING] = "unknown" if missing_s is None else f"{missing_s:.3f}"
    if sound := _nothing_heard(meeting):
        response[NOTHING_HEARD] = sound
    if is_translation:
        response[UNTRANSLATED] = f"{_untranslated_s(cues):.3f}"
    return response


def text_so_far(meeting_id: str) -> str:
    """Return the text of the captions that are there."""
    rows = Caption.objects.filter(meeting=meeting_id).exclude(text="").order_by("start", "segment")
    return join_passages(rows.values_list("text", "language"))


def usage(meeting: Meeting) -> dict[str, Any]:
    """Return what was processed, as OpenAI bills it."""
    return {"type": "duration", "seconds": math.ceil(meeting.upload.seconds or 0.0)}


def openai_language(code: str) -> str:
    """Return the English name as OpenAI's server writes it; empty: nothing was said, so none was detected."""
    return WHISPER_NAMES.get(code) or LANGUAGES.get(code, "").lower()


def _document(job: ApiJob, meeting: Meeting, spoken: list[Cue], cues: list[Cue]) -> HttpResponse:
    kind = job.options["response_format"]
    if kind in FILE_FORMATS:
        document = render_cues(cues, kind, title=meeting.title, missing_s=meeting.missing_s)
        return HttpResponse(document.body, content_type=document.content_type)
    text = join_passages((cue.line, cue.language) for cue in cues)
    if kind == "text":
        return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8")
    missing_s = meeting.upload.missing_s
    content = {
        "text": text,
        **_details(job, meeting, spoken, cues),
        "usage": usage(meeting),
        "missing_s": None if missing_s is None else round(missing_s, 3),
        **({"nothing_heard": sound} if (sound := _nothing_heard(meeting)) else {}),
    }
    return JsonResponse(content, json_dumps_params={"ensure_ascii": False})


def _nothing_heard(meeting: Meeting) -> str:
    """Return what a recording without captions holds; empty: there are captions."""
    return "" if meeting.last_seq else meeting.upload.sound


def _details(job: ApiJob, meeting: Meeting, spoken: list[Cue], cues: list[Cue]) -> dict[str, Any]:
    """Return what the longer formats have beside the text."""
    kind, task = job.options["response_format"], job.options["task"]
    duration = {"task": task, "duration": meeting.upload.seconds or 0.0}
    if kind == "diarized_json":
        return {**duration, "segments": [_turn(number, cue) for number, cue in enumerate(cues)]}
    if kind != "verbose_json":
        return {}
    language = ENGLISH if task == "translate" else main_language(spoken, meeting.language)
    segments = [_segment(number, *both) for number, both in enumerate(zip(spoken, cues, strict=True))]
    words = [{"word": word.text, "start": word.start, "end": word.end} for cue in cues for word in cue.words]
    return {
        **duration,
        "language": openai_language(language),
        "segments": segments,
        **({"words": words} if job.options.get("words") else {}),
    }


def _segment(number: int, spoken: Cue, cue: Cue) -> dict[str, Any]:
    """Return one caption as a segment. docs/api.md says how each value is derived."""
    return {
        "id": number,
        "seek": round(spoken.start * 100),
        "start": cue.start,
        "end": cue.end,
        "text": cue.line,
        "tokens": _tokens(cue.line),
        "temperature": 0.0,
        "avg_logprob": _mean_log_probability(spoken),
        "compression_ratio": round(compression_ratio(cue.line), 4),
        "no_speech_prob": 0.0,
        "speaker": cue.speaker and cue.speaker.id,
        "language": cue.language,
    }


def _tokens(text: str) -> list[int]:
    """Return the ids of the text in Whisper's vocabulary; none where the model is on another machine."""
    tokenizer = _tokenizer(speech_model_folder(settings.ENVIRONMENT) / "tokenizer.json")
    return [] if tokenizer is None else list(tokenizer.encode(f" {text}", add_special_tokens=False).ids)


@cache
def _tokenizer(file: Path) -> Tokenizer | None:
    """Load it when it is first needed: that takes a fifth of a second and 20 MB."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(file)) if file.exists() else None


def _turn(number: int, cue: Cue) -> dict[str, Any]:
    """Return one caption as OpenAI's diarizing model does."""
    speaker = cue.speaker.label if cue.speaker else ""
    return {
        "type": "transcript.text.segment",
        "id": f"seg_{number}",
        "start": cue.start,
        "end": cue.end,
        "text": cue.line,
        "speaker": speaker,
    }


def _mean_log_probability(cue: Cue) -> float:
    """Return the mean over the words; 0 without words."""
    if not cue.words:
        return 0.0
    return round(sum(math.log(max(word.probability, LEAST_PROBABILITY)) for word in cue.words) / len(cue.words), 4)


def main_language(cues: list[Cue], chosen: str) -> str:
    """Return the language that was spoken longest; without captions, the chosen one, or an empty string."""
    seconds: dict[str, float] = {}
    for cue in cues:
        seconds[cue.language] = seconds.get(cue.language, 0.0) + cue.end - cue.start
    return max(seconds, key=lambda code: seconds[code]) if seconds else "" if chosen == AUTO else chosen


def _untranslated_s(cues: list[Cue]) -> float:
    """Return the seconds that are not in English. Raises Refused if all are: that would be no translation."""
    left = [cue for cue in cues if cue.language != ENGLISH]
    if left and len(left) == len(cues):
        sentence = why_unreadable(settings.ENVIRONMENT, main_language(left, AUTO), ENGLISH)
        raise Refused(400, "language_not_supported", sentence, field="file")
    return sum(cue.end - cue.start for cue in left)
