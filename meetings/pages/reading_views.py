"""The page of a transcript: read, searched, heard, corrected, printed, downloaded."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from channels.db import database_sync_to_async
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_POST

from meetings.accounts.access import find_meeting, is_host, require_host, require_reader, socket_token
from meetings.accounts.tokens import Role
from meetings.audio import recordings
from meetings.files.cues import UnknownLanguage, one_line
from meetings.files.digest import newest_digest
from meetings.files.exports import FORMATS
from meetings.languages import named_languages
from meetings.models import MAX_SPEAKER_NAME, Caption, Meeting, State
from meetings.pages.ranges import file_response
from meetings.pages.reading import SPOKEN, Choice, caption_line, offered, page_lines, read_choice
from meetings.rows.corrections import MAX_TEXT, ChangedMeanwhile, UnfitText, correct_text, correct_translation
from meetings.rows.speakers import (
    NoSuchCaption,
    NoSuchSpeaker,
    UnfitName,
    assign,
    merge_speakers,
    present_speakers,
    rename,
)
from meetings.rows.waking import wake

private = cache_control(private=True, no_store=True)

FLAC = "audio/flac"


@private
@require_GET
def transcript_page(request: HttpRequest, meeting_id: str) -> HttpResponseBase:
    """Everything that was said, for the host and, where the host allows it, for whoever holds the viewer link."""
    meeting = find_meeting(meeting_id)
    require_reader(request, meeting)
    try:
        choice = _choice(request)
    except UnknownLanguage as error:
        return render(request, "400.html", {"sentence": str(error)}, status=400)
    return render(request, "meetings/transcript.html", _page_context(request, meeting, choice))


@private
@require_GET
async def recording(request: HttpRequest, meeting_id: str) -> HttpResponseBase:
    """The sound of a meeting that is over, or the part of it that a player asks for."""
    await _authorise_listening(request, meeting_id)
    path = recordings.flac_path(meeting_id)
    try:
        return file_response(path, content_type=FLAC, range_header=request.headers.get("Range", ""))
    except FileNotFoundError as error:
        raise Http404(_("There is no recording of this meeting.")) from error


@private
@require_POST
def correct_line(request: HttpRequest, meeting_id: str, segment: str) -> HttpResponse:
    """The host's wording of a line, and whose it is; answers with the line as it is read from now on."""
    meeting = find_meeting(meeting_id)
    require_host(request, meeting)
    try:
        choice = _choice(request)
        with transaction.atomic():
            seq = _correct(request, meeting, segment, choice)
    except ChangedMeanwhile as error:
        return JsonResponse({"sentence": str(error)}, status=409)
    except (UnfitText, NoSuchSpeaker, UnknownLanguage) as error:
        return JsonResponse({"sentence": str(error)}, status=422)
    except NoSuchCaption as error:
        raise Http404(_("There is no such line any more.")) from error
    wake(meeting.pk, seq)
    return JsonResponse(_line_object(Caption.objects.get(meeting=meeting, segment=segment), choice))


@private
@require_POST
def correct_speaker(request: HttpRequest, meeting_id: str, label: str) -> HttpResponseBase:
    """The host's name of a speaker, or whom else they turned out to be; then the page again."""
    meeting = find_meeting(meeting_id)
    require_host(request, meeting)
    into = request.POST.get("into", "")
    try:
        if into:
            seq = merge_speakers(meeting.pk, label, into)
        else:
            seq = rename(meeting.pk, label, request.POST.get("name", ""))
    except UnfitName:
        sentence = _("A name has at most %(count)d characters, all of them visible.") % {"count": MAX_SPEAKER_NAME}
        return render(request, "400.html", {"sentence": sentence}, status=400)
    except NoSuchSpeaker as error:
        raise Http404(_("There is no such speaker any more.")) from error
    wake(meeting.pk, seq)
    return redirect(f"{reverse('read', args=[meeting.pk])}?{request.GET.urlencode()}")


def _choice(request: HttpRequest) -> Choice:
    """Raises UnknownLanguage."""
    return read_choice(request.GET.get("lang", ""), request.GET.get("beside", ""))


def _correct(request: HttpRequest, meeting: Meeting, segment: str, choice: Choice) -> int:
    """Stores what differs; returns the newest `seq`."""
    speaker, editor_id, seen = request.POST.get("speaker", ""), request.user.pk, request.POST.get("seen")
    text = request.POST.get("text", "")
    seq = correct_text(meeting.pk, segment, text, editor_id=editor_id, seen=seen)
    is_same = one_line(seen or "") == one_line(text)
    for language in choice.languages:
        wording, before = request.POST.get(f"text-{language}", ""), request.POST.get(f"seen-{language}", "")
        if one_line(wording) != before:
            seen = before if is_same else None
            seq = correct_translation(meeting.pk, segment, language, wording, editor_id=editor_id, seen=seen)
    has_words = Caption.objects.filter(meeting=meeting, segment=segment).exclude(text="").exists()
    return assign(meeting.pk, segment, speaker) if speaker and has_words else seq


def _page_context(request: HttpRequest, meeting: Meeting, choice: Choice) -> dict[str, Any]:
    lines = page_lines(meeting, choice)
    digest = newest_digest(meeting, choice.file_language)
    can_correct = is_host(request, meeting)
    role: Role = "host" if can_correct else "join"
    return {
        "meeting": meeting,
        "lines": lines,
        "segments": frozenset(line.cue.segment for line in lines),
        "choice": choice,
        "spoken": SPOKEN,
        "languages": offered(meeting, choice),
        "token": socket_token(request, meeting, role),
        "query": _query(socket_token(request, meeting, role), choice),
        "summary": list(digest.by_kind()) if digest else [],
        "summary_language": digest.message["language"] if digest else "",
        "can_correct": can_correct,
        "speakers": present_speakers(meeting),
        "has_recording": recordings.flac_path(meeting.pk).exists(),
        "formats": list(FORMATS) if can_correct or meeting.allow_downloads else [],
        "is_over": meeting.state == State.ENDED,
        "longest": MAX_TEXT,
        "translations": named_languages(choice.languages),
    }


def _query(token: str, choice: Choice) -> str:
    """Of everything that the page asks for."""
    beside = {"beside": choice.beside} if choice.beside else {}
    language = {"lang": choice.language} if choice.language != SPOKEN else {}
    return urlencode({"token": token, **language, **beside})


def _line_object(caption: Caption, choice: Choice) -> dict[str, Any]:
    line = caption_line(caption, choice)
    speaker = line.cue.speaker
    return {
        "said": caption.text,
        "speaker": {
            "id": (speaker.id if speaker else None) or "",
            "name": speaker.label if speaker else "",
            "color": line.color,
        },
        "wordings": [
            {
                "text": wording.text,
                "language": wording.language,
                "direction": wording.direction,
                "is_pending": wording.is_pending,
            }
            for wording in line.wordings
        ],
    }


@database_sync_to_async
def _authorise_listening(request: HttpRequest, meeting_id: str) -> None:
    """Raises Http404, PermissionDenied."""
    require_reader(request, find_meeting(meeting_id))
