"""`/v1/`: API clients send recordings and get their text, as with OpenAI.

A recording is processed like an upload: by a worker, when live meetings leave it time. A request waits for the result,
reads it as it grows, or fetches it later (`Prefer: respond-async`). `meetings.store.api_jobs` says what is kept.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import wraps
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt

from meetings.accounts.api_errors import Refused
from meetings.accounts.api_tokens import find_token
from meetings.accounts.bearer import token_in
from meetings.broker.rate_limit import RateLimited, count_attempt
from meetings.models import ApiJob, ApiToken, Upload, UploadFailure, UploadState
from meetings.offers import speech_model_name
from meetings.queries import in_database
from meetings.store import api_jobs, second_passes, upload_files, uploads
from meetings.store.incoming_files import IncomingHandler
from meetings.web import api_results
from meetings.web.api_forms import AudioForm, TranscriptionForm, TranslationForm
from meetings.web.prefer import Preference

RESULT_POLL_S = 0.25
STREAM_KEPT_ALIVE_S = 10.0
"""A stream without text gets a comment this often, because proxies cut silent ones."""

PROGRESS_AFTER_S = 5
"""Seconds after which a client should ask for a job again."""

READS_A_MINUTE = 300
"""Requests without a body, per user."""

ALIAS = "whisper-1"
"""The name by which OpenAI's clients ask for a Whisper."""

ADDRESS_SHOWN = 80
"""Characters of an unknown address that are repeated."""

FORM = "multipart/form-data"

HEADERLESS = "This file does not say how its sound is stored. Name it with input_format."

RELEASED = 1663718400
"""Seconds since 1970 of Whisper's publication, for clients that require a date of each model."""

View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


class TookTooLong(Exception):
    """The result is not there at the deadline."""


def api(*methods: str) -> Callable[[View], View]:
    """Make a view of the API: one of `methods`, a token in the header and never a cookie, errors in OpenAI's form."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        async def checked(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
            try:
                if request.method not in methods:
                    sentence = f"Send a {' or '.join(methods)}."
                    raise Refused(405, "method_not_allowed", sentence, headers={"Allow": ", ".join(methods)})
                token = await in_database(_token, request)
                return await view(request, token, *arguments, **named)
            except Refused as refused:
                return JsonResponse(refused.content, status=refused.status, headers=refused.headers)

        return cast(View, checked)

    return decorate


@api("POST")
async def transcriptions(request: HttpRequest, token: ApiToken) -> HttpResponseBase:
    """Return the text when it is ready."""
    return await _take(request, token, TranscriptionForm)


@api("POST")
async def translations(request: HttpRequest, token: ApiToken) -> HttpResponseBase:
    """Return the text in English when it is ready."""
    return await _take(request, token, TranslationForm)


@api("GET", "DELETE")
async def job(request: HttpRequest, token: ApiToken, job_id: str) -> HttpResponseBase:
    """GET: return the result as the request for it would have, or 202 with the progress. DELETE: cancel and remove."""
    found = await in_database(api_jobs.find_job, token.pk, job_id)
    if found is None:
        raise Refused(404, "job_not_found", "There is no such job of this token; it may be deleted, or too old.")
    if request.method == "DELETE":
        await in_database(api_jobs.delete, found.pk)
        return HttpResponse(status=204)
    if not _is_finished(found.meeting.upload):
        return _under_way(found)
    return await in_database(api_results.result, found)


@api("GET")
async def models(request: HttpRequest, token: ApiToken) -> HttpResponseBase:
    """List the speech model, by its own name and by ALIAS."""
    return JsonResponse({"object": "list", "data": [_model(name) for name in _model_names()]})


@api("GET")
async def model(request: HttpRequest, token: ApiToken, name: str) -> HttpResponseBase:
    """Return one of `models`."""
    if name not in _model_names():
        raise Refused(404, "model_not_found", f"The model {name[:80]!r} does not exist.", field="model")
    return JsonResponse(_model(name))


@csrf_exempt
async def unknown_address(request: HttpRequest, rest: str) -> HttpResponseBase:
    """Answer a client that expects more of OpenAI's API than is here."""
    refused = Refused(404, "unknown_url", f"There is no {request.method} /v1/{rest[:ADDRESS_SHOWN]} here.")
    return JsonResponse(refused.content, status=refused.status)


# -- requests with a recording -----------------------------------------------------------------------------------------


async def _take(request: HttpRequest, token: ApiToken, form_class: type[AudioForm]) -> HttpResponseBase:
    """Begin or join the work on a recording, and respond as the client prefers."""
    preference = Preference.read(request.headers.get("Prefer", ""))
    begun, streams = await in_database(_begin, request, token, form_class, preference)
    if streams:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingHttpResponse(_events(begun), content_type="text/event-stream", headers=headers)
    is_answered = False
    try:
        await _wait(begun, time.monotonic() + preference.wait_s(settings.ENVIRONMENT.api_wait_s))
        response = await in_database(api_results.result, begun)
        is_answered = True
        return response
    except TookTooLong as error:
        if not preference.is_async:
            raise Refused(504, "timeout", TOO_LONG) from error
        begun = await ApiJob.objects.select_related("meeting__upload").aget(pk=begun.pk)
        return _under_way(begun, {"Preference-Applied": "respond-async"})
    except Refused:
        is_answered = True
        raise
    finally:
        await asyncio.shield(in_database(api_jobs.leave, begun.pk, is_answered=is_answered))


TOO_LONG = (
    "The transcript took too long. Its work goes on: send the same request within ten minutes to get it, or send "
    "Prefer: respond-async and fetch it later."
)


def _token(request: HttpRequest) -> ApiToken:
    """Return the token's row. Raises Refused.

    The server has already checked and counted a request with a body before it read it (`meetings.accounts.api_gate`).
    """
    token = find_token(token_in(request.headers.get("Authorization", "")))
    if token is None:
        raise Refused(401, "invalid_api_key", "Send a token of yours: Authorization: Bearer …")
    if request.method != "POST":
        try:
            count_attempt(f"api-reads:{token.user_id}", limit=READS_A_MINUTE, within_s=60)
        except RateLimited as error:
            sentence = f"Too many requests; go on in {error.seconds} s."
            raise Refused(429, "rate_limit_exceeded", sentence, again_in_s=error.seconds) from error
    return token


def _begin(
    request: HttpRequest, token: ApiToken, form_class: type[AudioForm], preference: Preference
) -> tuple[ApiJob, bool]:
    """Validate the request and begin or join its job; return it, and whether to stream the text. Raises Refused."""
    if request.content_type != FORM:
        raise Refused(415, "unsupported_media_type", f"Send the recording and its parameters as a form: {FORM}.")
    request.upload_handlers = [IncomingHandler(request)]
    try:
        form = form_class(request.POST, request.FILES)
        if not form.is_valid():
            code, field, sentence = form.first_error
            raise Refused(400, code, sentence, field=field)
        return _store(form, token, preference), form.cleaned_data["stream"]
    except (MultiPartParserError, SuspiciousOperation) as error:
        raise Refused(400, "invalid_request", f"The form cannot be read: {error}") from error
    except upload_files.DiskFull as error:
        raise Refused(507, "no_room", "There is no room on the server for this file.") from error


def _store(form: AudioForm, token: ApiToken, preference: Preference) -> ApiJob:
    """Raises Refused, upload_files.DiskFull."""
    file = form.cleaned_data["file"]
    wanted = ApiJob(
        token=token,
        fingerprint=api_jobs.fingerprint(file.digest.hexdigest(), form.options),
        options=form.result_options,
        is_kept=preference.is_async,
    )
    try:
        return api_jobs.begin_or_join(wanted, form.meeting(token.user_id), form.announced, file.move)
    except (uploads.TooManyUnfinished, api_jobs.TooManyJobs) as error:
        raise Refused(429, "rate_limit_exceeded", str(error), again_in_s=60) from error


# -- results -----------------------------------------------------------------------------------------------------------


async def _wait(begun: ApiJob, deadline: float) -> None:
    """Wait until the result is final. Raises TookTooLong at the deadline, Refused if there will be none."""
    while not _is_finished(await _upload(begun)):
        if time.monotonic() >= deadline:
            raise TookTooLong
        await asyncio.sleep(RESULT_POLL_S)


async def _upload(begun: ApiJob) -> Upload:
    """Return the job's upload. Raises Refused if it was deleted."""
    upload = await in_database(api_jobs.upload_of, begun)
    if upload is None:
        raise Refused(404, "deleted", "The recording was deleted before it was transcribed.")
    return upload


def _is_finished(upload: Upload) -> bool:
    """Return whether there is a result. Raises Refused if nothing was read before the file broke off."""
    if upload.state != UploadState.FAILED:
        return upload.state == UploadState.READY and not second_passes.is_pending(upload.meeting)
    if upload.failure == UploadFailure.SET_ASIDE:
        raise Refused(500, "not_captioned", uploads.sentence(upload))
    if upload.failure == UploadFailure.MISSING or not upload.seconds:
        field = "input_format" if upload.failure == UploadFailure.NO_HEADER else "file"
        raise Refused(400, "unreadable_file", HEADERLESS if field != "file" else uploads.sentence(upload), field=field)
    return True


def _under_way(begun: ApiJob, headers: dict[str, str] | None = None) -> JsonResponse:
    """Return 202 with the state of the job and where to ask again."""
    upload = begun.meeting.upload
    done = api_jobs.progress(upload)
    content = {
        "id": begun.pk,
        "object": "audio.job",
        "status": "queued" if upload.state in (UploadState.RECEIVING, UploadState.WAITING) else "in_progress",
        "progress": None if done is None else round(done, 3),
        "created_at": int(begun.created_at.timestamp()),
    }
    address = {"Location": reverse("api-job", args=[begun.pk]), "Retry-After": str(PROGRESS_AFTER_S)}
    return JsonResponse(content, status=202, headers={**address, **(headers or {})})


async def _events(begun: ApiJob) -> AsyncIterator[str]:
    """Yield server-sent events: the text as it grows, then all of it, or an error."""
    is_answered = False
    try:
        async for event in _growing(begun, time.monotonic() + settings.ENVIRONMENT.api_wait_s):
            yield event
        is_answered = True
    except TookTooLong:
        yield _event(Refused(504, "timeout", TOO_LONG).content)
    except Refused as refused:
        is_answered = True
        yield _event(refused.content)
    finally:
        await asyncio.shield(in_database(api_jobs.leave, begun.pk, is_answered=is_answered))


async def _growing(begun: ApiJob, deadline: float) -> AsyncIterator[str]:
    """Yield the events of a job. A change of sent text is in the last one only. Raises TookTooLong, Refused."""
    sent, silent_since = "", time.monotonic()
    is_finished = False
    while not is_finished:
        is_finished = _is_finished(await _upload(begun))
        text = await in_database(api_results.text_so_far, begun.meeting_id)
        if len(text) > len(sent) and text.startswith(sent):
            yield _event({"type": "transcript.text.delta", "delta": text[len(sent) :]})
            sent, silent_since = text, time.monotonic()
        elif not is_finished:
            if time.monotonic() >= deadline:
                raise TookTooLong
            if time.monotonic() - silent_since >= STREAM_KEPT_ALIVE_S:
                yield ": working\n\n"
                silent_since = time.monotonic()
            await asyncio.sleep(RESULT_POLL_S)
    yield _event({"type": "transcript.text.done", "text": text})


def _event(content: dict[str, Any]) -> str:
    kind = content.get("type")
    head = f"event: {kind}\n" if kind else ""
    return f"{head}data: {json.dumps(content, ensure_ascii=False)}\n\n"


# -- models ------------------------------------------------------------------------------------------------------------


def _model_names() -> tuple[str, ...]:
    return tuple(dict.fromkeys((speech_model_name(settings.ENVIRONMENT), ALIAS)))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": RELEASED, "owned_by": "parlance"}
