"""`/v1/audio/transcriptions`: an API client sends a recording and waits for its text, as with OpenAI.

The recording is processed like an upload: by a worker, when live meetings leave it time. It and its captions are
deleted after the response, or when the client disconnects.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.views.decorators.csrf import csrf_exempt

from meetings.accounts.api_errors import Refused
from meetings.accounts.api_tokens import user_of_token
from meetings.accounts.bearer import token_in
from meetings.export.cues import meeting_cues
from meetings.export.formats import render_transcript
from meetings.languages import LANGUAGES
from meetings.models import Meeting, Upload, UploadFailure, UploadState
from meetings.store import upload_files, uploads
from meetings.store.incoming_files import IncomingHandler
from meetings.web.api_forms import TranscriptionForm

RESULT_POLL_S = 0.25
in_thread = partial(database_sync_to_async, thread_sensitive=False)
"""Not in the sockets' single query thread, because parsing a recording of 100 MB takes seconds."""

FILE_FORMATS = ("srt", "vtt")

NOTHING_HEARD = "X-Parlance-Nothing-Heard"
"""What a recording without captions holds, a value of `inference.speech.recorded_file.Sound`."""

MISSING = "X-Parlance-Missing-Seconds"
"""Seconds of audio that could not be read; `unknown`: the file breaks off, and its length is unknown."""


@csrf_exempt  # authenticated by the token in the header, never by a cookie
async def transcriptions(request: HttpRequest) -> HttpResponse:
    """Return the text when it is ready; 504 if that takes longer than `PARLANCE_API_WAIT_S`."""
    try:
        meeting = await in_thread(_begin)(request)
    except Refused as refused:
        return _error(refused)
    try:
        await _wait(meeting.pk, time.monotonic() + settings.ENVIRONMENT.api_wait_s)
        return await in_thread(_answer)(meeting.pk, request.POST)
    except Refused as refused:
        return _error(refused)
    finally:
        await asyncio.shield(in_thread(_forget)(meeting.pk))


def _begin(request: HttpRequest) -> Meeting:
    """Validate the request, store the recording, and queue it for the workers.

    The server has already checked the token before it accepted the body (`meetings.accounts.api_gate`).
    """
    if request.method != "POST":
        raise Refused(405, "method_not_allowed", "Send a POST.")
    user = user_of_token(token_in(request.headers.get("Authorization", "")))
    if user is None:
        raise Refused(401, "invalid_api_key", "Send a token of yours: Authorization: Bearer …")
    request.upload_handlers = [IncomingHandler(request)]
    try:
        form = TranscriptionForm(request.POST, request.FILES)
        if not form.is_valid():
            field, sentence = form.first_error
            raise Refused(400, "invalid_request", f"{field}: {sentence}", field=field)
        return _store(form, user.pk)
    except (MultiPartParserError, SuspiciousOperation) as error:
        raise Refused(400, "invalid_request", f"The form cannot be read: {error}") from error
    except upload_files.DiskFull as error:
        raise Refused(507, "no_room", "There is no room on the server for this file.") from error


def _store(form: TranscriptionForm, owner_id: int) -> Meeting:
    """Store meeting and recording. Raises Refused, upload_files.DiskFull."""
    meeting = form.meeting(owner_id)
    try:
        uploads.begin(meeting, form.announced)
    except uploads.TooManyUnfinished as error:
        raise Refused(429, "rate_limit_exceeded", str(error)) from error
    form.cleaned_data["file"].move(meeting.pk)
    uploads.finish_receiving(meeting.pk)
    return meeting


async def _wait(meeting_id: str, deadline: float) -> None:
    """Wait until the result is final. Raises Refused if nothing could be read, or at the deadline."""
    while (upload := await Upload.objects.filter(pk=meeting_id).afirst()) is not None:
        if upload.state == UploadState.READY:
            return
        if upload.state == UploadState.FAILED:
            _require_something(upload)
            return
        if time.monotonic() > deadline:
            raise Refused(504, "timeout", "The transcript took too long. Upload the recording on the page instead.")
        await asyncio.sleep(RESULT_POLL_S)
    raise Refused(404, "deleted", "The recording was deleted before it was transcribed.")


def _require_something(upload: Upload) -> None:
    """Raise Refused unless some audio was read before the file broke off."""
    if upload.failure == UploadFailure.SET_ASIDE:
        raise Refused(500, "not_captioned", uploads.sentence(upload))
    if upload.failure == UploadFailure.MISSING or not upload.seconds:
        raise Refused(400, "unreadable_file", uploads.sentence(upload), field="file")


def _answer(meeting_id: str, fields: Any) -> HttpResponse:
    """Return the text in the requested format; what is missing is said in headers, and in the JSON formats."""
    meeting = Meeting.objects.select_related("upload").get(pk=meeting_id)
    missing_s, sound = meeting.upload.missing_s, "" if meeting.last_seq else meeting.upload.sound
    said = {"missing_s": None if missing_s is None else round(missing_s, 3)}
    answer = _document(meeting, fields, {**said, **({"nothing_heard": sound} if sound else {})})
    answer[MISSING] = "unknown" if missing_s is None else f"{missing_s:.3f}"
    if sound:
        answer[NOTHING_HEARD] = sound
    return answer


def _document(meeting: Meeting, fields: Any, said: dict[str, Any]) -> HttpResponse:
    kind = fields.get("response_format") or "json"
    if kind in FILE_FORMATS:
        document = render_transcript(meeting, kind)
        return HttpResponse(document.body, content_type=document.content_type)
    cues = [cue for cue in meeting_cues(meeting) if cue.line]
    text = " ".join(cue.line for cue in cues)
    if kind == "text":
        return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8")
    if kind == "json":
        return JsonResponse({"text": text, **said}, json_dumps_params={"ensure_ascii": False})
    wants_words = "word" in fields.getlist("timestamp_granularities[]")
    content = {**_verbose(meeting, cues, text, wants_words), **said}
    return JsonResponse(content, json_dumps_params={"ensure_ascii": False})


def _verbose(meeting: Meeting, cues: list[Any], text: str, wants_words: bool) -> dict[str, Any]:
    """Return the known ones of OpenAI's fields, and the speakers; unknown fields are left out."""
    spoken = cues[0].language if cues else meeting.language
    segments = [
        {"id": index, "start": cue.start, "end": cue.end, "text": cue.line, "speaker": cue.speaker and cue.speaker.id}
        for index, cue in enumerate(cues)
    ]
    words = [{"word": word.text, "start": word.start, "end": word.end} for cue in cues for word in cue.words]
    return {
        "task": "transcribe",
        "language": LANGUAGES.get(spoken, "").lower(),
        "duration": meeting.upload.seconds or 0.0,
        "text": text,
        "segments": segments,
        **({"words": words} if wants_words else {}),
    }


def _forget(meeting_id: str) -> None:
    meeting = Meeting.objects.filter(pk=meeting_id).first()
    if meeting is not None:
        meeting.delete()


def _error(refused: Refused) -> JsonResponse:
    return JsonResponse(refused.content, status=refused.status, headers=refused.headers)
