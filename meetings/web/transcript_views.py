"""Views of the transcript page and its recording; corrections are in `correction_views`."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from channels.db import database_sync_to_async
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from meetings.accounts.access import find_meeting, link_token, may_do, private, require_reader
from meetings.accounts.rights import Deed
from meetings.export.cues import UnknownLanguage
from meetings.export.formats import FORMATS
from meetings.export.summary import newest_summary
from meetings.languages import named_languages
from meetings.models import Meeting, State
from meetings.store import recordings, second_passes, uploads
from meetings.store.corrections import MAX_TEXT
from meetings.store.speakers import present_speakers
from meetings.web.byte_ranges import file_response
from meetings.web.transcript_page import SPOKEN, LanguageFilter, offered, page_paragraphs, requested_choice

FLAC = "audio/flac"
WORTH_SAYING_S = 1.0
"""Missing seconds; less is a syllable."""


@private
@require_GET
def transcript_page(request: HttpRequest, meeting_id: str) -> HttpResponseBase:
    """Show the transcript to the host and, if the host allows it, to readers with the viewer link."""
    meeting = find_meeting(meeting_id)
    require_reader(request, meeting)
    try:
        choice = requested_choice(request)
    except UnknownLanguage as error:
        return render(request, "400.html", {"sentence": str(error)}, status=400)
    return render(request, "meetings/transcript.html", _page_context(request, meeting, choice))


@private
@require_GET
async def recording(request: HttpRequest, meeting_id: str) -> HttpResponseBase:
    """Return the recording of an ended meeting, or the part that a player requests."""
    await _authorise_listening(request, meeting_id)
    path = recordings.flac_path(meeting_id)
    try:
        return file_response(path, content_type=FLAC, range_header=request.headers.get("Range", ""))
    except FileNotFoundError as error:
        raise Http404(_("There is no recording of this meeting.")) from error


@private
@require_GET
def second_pass_state(request: HttpRequest, meeting_id: str) -> JsonResponse:
    """Return whether the recording is still being read again, for those who may read the transcript."""
    meeting = find_meeting(meeting_id)
    require_reader(request, meeting)
    return JsonResponse({"is_pending": second_passes.is_pending(meeting)})


def _page_context(request: HttpRequest, meeting: Meeting, choice: LanguageFilter) -> dict[str, Any]:
    paragraphs = page_paragraphs(meeting, choice)
    lines = [line for paragraph in paragraphs for line in paragraph.lines]
    digest = newest_summary(meeting, choice.file_language)
    token = link_token(request, meeting)
    may_load = meeting.allow_downloads or may_do(request, Deed.READ, meeting)
    return {
        "meeting": meeting,
        "paragraphs": paragraphs,
        "missing": missing_sentence(meeting),
        "second_pass": second_passes.sentence(meeting),
        "is_read_again": second_passes.is_pending(meeting),
        "why_empty": "" if lines else uploads.why_empty(meeting, uploads.find(meeting.pk)),
        "segments": frozenset(line.cue.segment for line in lines),
        "choice": choice,
        "spoken": SPOKEN,
        "languages": offered(meeting, choice),
        "token": token,
        "back": _way_back(request, meeting, token),
        "query": _query(token, choice),
        "digest": digest,
        "can_correct_lines": may_do(request, Deed.CORRECT_LINES, meeting),
        "can_correct_speakers": may_do(request, Deed.CORRECT_SPEAKERS, meeting),
        "can_correct_summaries": may_do(request, Deed.CORRECT_SUMMARIES, meeting),
        "speakers": present_speakers(meeting),
        "has_recording": has_recording(meeting),
        "formats": list(FORMATS) if may_load else [],
        "is_over": meeting.state == State.ENDED,
        "longest": MAX_TEXT,
        "translations": named_languages(choice.languages),
    }


def has_recording(meeting: Meeting) -> bool:
    """Return whether people may hear the meeting. Sound that is kept for the second pass alone is for nobody."""
    is_for_people = meeting.keep_recording or not meeting.is_read_again
    return is_for_people and recordings.flac_path(meeting.pk).exists()


def missing_sentence(meeting: Meeting) -> str:
    """Return how much of the meeting has no captions; empty: nothing worth a word."""
    if meeting.missing_s < WORTH_SAYING_S:
        return ""
    return _("%(seconds)d seconds were not captured and are missing here.") % {"seconds": round(meeting.missing_s)}


def _way_back(request: HttpRequest, meeting: Meeting, token: str) -> tuple[str, str]:
    """Return the address and the name of the page to go on with: the list after the end, else the page of captions."""
    if meeting.state == State.ENDED and request.user.is_authenticated:
        return reverse("meetings"), _("All meetings")
    name, words = ("host", _("Host page")) if may_do(request, Deed.SPEAK, meeting) else ("viewer", _("Live captions"))
    return reverse(name, args=[meeting.pk]) + (f"?{urlencode({'token': token})}" if token else ""), words


def _query(token: str, choice: LanguageFilter) -> str:
    """Return the query string for the page's own requests; empty if it has no parameters."""
    said = {"token": token} if token else {}
    beside = {"beside": choice.beside} if choice.beside else {}
    language = {"lang": choice.language} if choice.language != SPOKEN else {}
    query = urlencode({**said, **language, **beside})
    return f"?{query}" if query else ""


@database_sync_to_async
def _authorise_listening(request: HttpRequest, meeting_id: str) -> None:
    """Check that the request may play the recording. Raises Http404, PermissionDenied."""
    meeting = find_meeting(meeting_id)
    require_reader(request, meeting)
    if not has_recording(meeting):
        raise Http404(_("There is no recording of this meeting."))
