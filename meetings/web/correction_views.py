"""Corrections by the host on the transcript page: lines, speakers, summaries."""

from __future__ import annotations

import re
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from meetings.accounts.access import find_meeting, private, require
from meetings.accounts.rights import Deed
from meetings.export.cues import UnknownLanguage
from meetings.models import MAX_SPEAKER_NAME, Caption, Meeting
from meetings.store import summary_corrections
from meetings.store.corrections import ChangedMeanwhile, UnfitText, correct_text, correct_translation
from meetings.store.requeue import requeue
from meetings.store.speakers import NoSuchCaption, NoSuchSpeaker, UnfitName, assign, merge_speakers, rename
from meetings.store.summary_corrections import NoSuchSummary, Rewording
from meetings.text import one_line
from meetings.web.transcript_page import LanguageFilter, caption_line, requested_choice

ITEM_TEXT = re.compile(r"text-(\d{1,3})")
"""Field name of a summary's item."""


@private
@require_POST
def correct_line(request: HttpRequest, meeting_id: str, segment: str) -> HttpResponse:
    """Store the host's text and speaker of a line; return the line as it now reads."""
    meeting = find_meeting(meeting_id)
    require(request, Deed.CORRECT_LINES, meeting)
    try:
        choice = requested_choice(request)
        with transaction.atomic():
            seq = _correct(request, meeting, segment, choice)
    except ChangedMeanwhile as error:
        return JsonResponse({"sentence": str(error)}, status=409)
    except (UnfitText, NoSuchSpeaker, UnknownLanguage) as error:
        return JsonResponse({"sentence": str(error)}, status=422)
    except NoSuchCaption as error:
        raise Http404(_("There is no such line any more.")) from error
    requeue(meeting.pk, seq)
    return JsonResponse(_line_object(Caption.objects.get(meeting=meeting, segment=segment), choice))


@private
@require_POST
def correct_speaker(request: HttpRequest, meeting_id: str, label: str) -> HttpResponseBase:
    """Rename a speaker, or merge it into another; redirect to the page."""
    meeting = find_meeting(meeting_id)
    require(request, Deed.CORRECT_SPEAKERS, meeting)
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
    requeue(meeting.pk, seq)
    return _page_again(request, meeting)


@private
@require_POST
def correct_summary(request: HttpRequest, meeting_id: str, summary_id: int) -> HttpResponseBase:
    """Store the host's texts of the summary's items, in the language shown; redirect to the page."""
    meeting = find_meeting(meeting_id)
    require(request, Deed.CORRECT_SUMMARIES, meeting)
    rewordings = {request.POST.get("language", ""): _rewordings(request)}
    try:
        seq = summary_corrections.correct_summary(meeting.pk, summary_id, rewordings, editor_id=request.user.pk)
    except ChangedMeanwhile as error:
        return JsonResponse({"sentence": str(error)}, status=409)
    except UnfitText as error:
        return JsonResponse({"sentence": str(error)}, status=422)
    except NoSuchSummary as error:
        raise Http404(_("There is no such summary any more.")) from error
    requeue(meeting.pk, seq)
    return _page_again(request, meeting)


def _correct(request: HttpRequest, meeting: Meeting, segment: str, choice: LanguageFilter) -> int:
    """Store what differs; return the newest `seq`."""
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


def _line_object(caption: Caption, choice: LanguageFilter) -> dict[str, Any]:
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


def _rewordings(request: HttpRequest) -> list[Rewording]:
    """Return the changed items only, so that concurrent changes of other items do not conflict."""
    asked = [
        Rewording(int(field[1]), str(text), request.POST.get(f"seen-{field[1]}", ""))
        for name, text in request.POST.items()
        if (field := ITEM_TEXT.fullmatch(name))
    ]
    return [rewording for rewording in asked if one_line(rewording.text) != one_line(rewording.seen or "")]


def _page_again(request: HttpRequest, meeting: Meeting) -> HttpResponseBase:
    return redirect(f"{reverse('read', args=[meeting.pk])}?{request.GET.urlencode()}")
