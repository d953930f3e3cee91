"""The upload page, and the requests of an upload: a POST to announce it, then PATCH after PATCH.

Headers and status codes of chunks are those of tus 1.0 (https://tus.io/protocols/resumable-upload).
"""

from __future__ import annotations

import re
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from inference.audio import SAMPLE_RATE
from meetings.accounts.rights import Deed, deeds, may_with_all
from meetings.export.formats import FORMATS
from meetings.models import Upload, UploadState
from meetings.store import quotas, second_passes, upload_files, uploads
from meetings.web.meeting_views import private
from meetings.web.reading_fields import HEADERLESS
from meetings.web.upload_forms import UploadForm, gigabytes

UPLOADS_SHOWN = 200
"""Uploads on the page, newest first."""

OFFSET = re.compile(r"\d{1,18}", re.ASCII)
"""Limited, because numbers of any length are an error to parse."""

LOCKED, CHECKSUM_MISMATCH, INSUFFICIENT_STORAGE = 423, 460, 507
"""As in WebDAV and tus."""


@login_required
@private
@require_http_methods(["GET", "POST"])
def upload_page(request: HttpRequest) -> HttpResponseBase:
    """Show form and list; a POST announces one file and returns the address to send it to."""
    if request.method == "POST":
        return _announce(request)
    limit = gigabytes(settings.ENVIRONMENT.upload_limit)
    chunk_bytes = upload_files.MAX_CHUNK
    context = {"form": UploadForm(), "limit": limit, "chunk_bytes": chunk_bytes, "endings": HEADERLESS}
    return render(request, "meetings/uploads.html", context)


@login_required
@private
@require_GET
def upload_list(request: HttpRequest) -> JsonResponse:
    """Return the progress of every upload."""
    by_people = uploads_of(request).filter(meeting__api_job=None)  # what programs send is theirs to fetch and delete
    rows = by_people.select_related("meeting__second_pass").order_by("-created_at")[:UPLOADS_SHOWN]
    return JsonResponse({"uploads": [upload_object(request, upload) for upload in rows]})


@private
@require_http_methods(["HEAD", "PATCH"])
async def upload_chunks(request: HttpRequest, meeting_id: str) -> HttpResponse:
    """HEAD: return the offset. PATCH: append a chunk. Only for the uploader, and for staff with permission."""
    upload = await _find(request, meeting_id)
    if request.method == "HEAD":
        return _at_offset(await _received(upload), status=200)
    if upload.state != UploadState.RECEIVING:
        return _at_offset(upload.size)
    try:
        return await _take(request, upload)
    except upload_files.WrongOffset as error:
        return _at_offset(error.received, status=409)
    except upload_files.Occupied:
        return HttpResponse(status=LOCKED)
    except upload_files.ChunkDamaged:
        return HttpResponse(status=CHECKSUM_MISMATCH)
    except upload_files.ChunkTooLarge:
        return HttpResponse(status=413)
    except upload_files.DiskFull:
        return HttpResponse(_no_room(), status=INSUFFICIENT_STORAGE, content_type="text/plain; charset=utf-8")


def uploads_of(request: HttpRequest, deed: Deed = Deed.LIST) -> QuerySet[Upload]:
    """Return the uploads for which the user may do the deed: staff may for all uploads, as for meetings."""
    rows = Upload.objects.all()
    return rows if may_with_all(request.user, deed) else rows.filter(meeting__owner_id=request.user.pk)


def upload_object(request: HttpRequest, upload: Upload) -> dict[str, Any]:
    """Return the data of an upload for the page; addresses depend on the user's rights."""
    meeting, may = upload.meeting, deeds(request.user, upload.meeting)
    is_over = upload.state in (UploadState.READY, UploadState.FAILED)
    return {
        "id": upload.pk,
        "name": upload.name,
        "size": upload.size,
        "modified": upload.modified,
        "state": upload.state,
        "label": upload.get_state_display(),
        "received": upload_files.received(upload.pk) if upload.state == UploadState.RECEIVING else upload.size,
        "seconds": upload.seconds,
        "captioned": meeting.cursor / SAMPLE_RATE,
        "failure": uploads.sentence(upload),
        "note": " ".join(filter(None, _notes(upload))),
        "address": reverse("upload-chunks", args=[upload.pk]),
        "page": reverse("host" if is_over and "speak" in may else "viewer", args=[upload.pk]),
        "delete": reverse("delete", args=[upload.pk]) if "delete" in may else None,
        "transcripts": {name: reverse("transcript", args=[upload.pk, name]) for name in FORMATS}
        if is_over and meeting.last_seq and "read" in may
        else {},
    }


def _notes(upload: Upload) -> tuple[str, ...]:
    """Return what people should know of a recording that is ready; empty sentences: nothing."""
    meeting = upload.meeting
    return uploads.note(upload), uploads.why_empty(meeting, upload), second_passes.sentence(meeting)


def _announce(request: HttpRequest) -> JsonResponse:
    form = UploadForm(request.POST)
    if not form.is_valid():
        return JsonResponse({"sentence": form.first_error}, status=422)
    if sentence := quotas.why_over_quota(request.user.pk):
        return JsonResponse({"sentence": sentence}, status=429)
    form.instance.owner_id = request.user.pk
    try:
        upload = uploads.begin(form.instance, form.announced)
    except upload_files.DiskFull:
        return JsonResponse({"sentence": _no_room()}, status=INSUFFICIENT_STORAGE)
    except uploads.TooManyUnfinished as error:
        return JsonResponse({"sentence": str(error)}, status=429)
    return JsonResponse(upload_object(request, upload), status=201)


@database_sync_to_async
def _find(request: HttpRequest, meeting_id: str) -> Upload:
    """Raises PermissionDenied when signed out, Http404 if the user has no such upload."""
    if not request.user.is_authenticated:
        raise PermissionDenied(_("Sign in again to go on."))
    upload = uploads_of(request, Deed.MANAGE).filter(pk=meeting_id).first()
    if upload is None:
        raise Http404(_("There is no such upload. It may have been deleted."))
    return upload


@database_sync_to_async
def _received(upload: Upload) -> int:
    """Return the bytes received; a complete file whose last response was lost is queued now."""
    if upload.state != UploadState.RECEIVING:
        return upload.size
    here = upload_files.received(upload.pk)
    if here == upload.size:
        uploads.finish_receiving(upload.pk)
    return here


async def _take(request: HttpRequest, upload: Upload) -> HttpResponse:
    """Append the chunk in a thread that no other view waits for."""
    offset = request.headers.get("Upload-Offset", "")
    if not OFFSET.fullmatch(offset):
        return HttpResponse(status=400)
    body, checksum = request.body, request.headers.get("Upload-Checksum", "").removeprefix("sha256 ")
    append = database_sync_to_async(upload_files.append, thread_sensitive=False)
    here = await append(upload.pk, body, offset=int(offset), size=upload.size, checksum=checksum)
    if here == upload.size:
        await database_sync_to_async(uploads.finish_receiving)(upload.pk)
    return _at_offset(here)


def _at_offset(here: int, *, status: int = 204) -> HttpResponse:
    return HttpResponse(status=status, headers={"Upload-Offset": str(here)})


def _no_room() -> str:
    return _("There is no room on the server for this file.")
