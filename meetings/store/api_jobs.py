"""Jobs of API clients: recordings that are sent once, and whose result is fetched by one request or by several.

A request that is repeated joins the work that its predecessor began, and a client that is gone cancels nothing until
REJOIN passes without a request. Jobs are rows, so a restart loses none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from inference.audio import SAMPLE_RATE
from meetings.models import ApiJob, Meeting, Upload, UploadState
from meetings.store import upload_files, uploads
from meetings.store.uploads import NOTHING_HEARD, Announced

REJOIN = timedelta(minutes=10)
"""How long after its last request a job can be joined, and is worked on for nobody."""

JOB_KEPT = timedelta(days=1)
"""How long after its last request a job of `Prefer: respond-async` is kept."""

MAX_UNFINISHED_OF_TOKEN = 20
MAX_UNFINISHED = 200
"""Unfinished jobs of all tokens together."""

MAX_JOBS_OF_TOKEN = 100
"""Jobs of one token, finished ones included."""

ASKED_EVERY = timedelta(minutes=1)
"""Precision of the time at which a job was last asked for."""


class TooManyJobs(Exception):
    """No more jobs are taken now; the message is a sentence for people."""


def fingerprint(file_digest: str, options: dict[str, Any]) -> str:
    """Return the digest by which a repeated request is recognised."""
    return hashlib.sha256(json.dumps([file_digest, options], sort_keys=True).encode()).hexdigest()


def begin_or_join(job: ApiJob, meeting: Meeting, file: Announced, place: Callable[[str], None]) -> ApiJob:
    """Return the job of an equal request, or store `job` with its meeting and recording; count one reader.

    Args:
        place: Moves the recording to the upload of the meeting with this id. Not called when a job is joined.

    Raises:
        TooManyJobs, uploads.TooManyUnfinished, upload_files.DiskFull: nothing was stored.
    """
    with upload_files.announcing():
        joined = _join(job)
        if joined is not None:
            return joined
        _require_few(job.token_id)
        uploads.begin_announced(meeting, file, is_awaited=not job.is_kept)
        job.meeting, job.readers = meeting, 1
        job.save(force_insert=True)
    try:
        place(meeting.pk)
    except OSError as error:
        meeting.delete()
        raise upload_files.DiskFull from error
    uploads.finish_receiving(meeting.pk)
    return job


def find_job(token_id: int, job_id: str) -> ApiJob | None:
    """Return the token's job with meeting and upload; None: it has none of that id."""
    rows = ApiJob.objects.select_related("meeting__upload", "meeting__second_pass")
    job = rows.filter(pk=job_id, token_id=token_id).first()
    if job is not None:
        _note_asked(job)
    return job


def upload_of(job: ApiJob) -> Upload | None:
    """Return the upload of a job that somebody waits for; None: it is deleted."""
    _note_asked(job)
    return Upload.objects.filter(pk=job.meeting_id).select_related("meeting__second_pass").first()


def _note_asked(job: ApiJob) -> None:
    """Store that somebody still wants the job, once a minute."""
    if timezone.now() - job.asked_at >= ASKED_EVERY:
        job.asked_at = timezone.now()
        ApiJob.objects.filter(pk=job.pk).update(asked_at=job.asked_at)


def leave(job_id: str, *, is_answered: bool) -> None:
    """Count one reader less. The last one that was answered deletes the job, unless it is kept."""
    rows = ApiJob.objects.filter(pk=job_id)
    rows.update(readers=F("readers") - 1, asked_at=timezone.now())
    # Without a fingerprint nobody can join it between this line and the deletion.
    if is_answered and rows.filter(readers=0, is_kept=False).update(fingerprint=""):
        delete(job_id)


def delete(job_id: str) -> None:
    """Delete the job with its recording and captions; a worker that is captioning it stops."""
    for meeting in Meeting.objects.filter(api_job=job_id):
        meeting.delete()


def progress(upload: Upload) -> float | None:
    """Return the captioned share of the recording, 0 to 1; None: its length is not known yet."""
    if upload.state == UploadState.WAITING:
        return 0.0
    if not upload.seconds:
        return None
    return min(1.0, upload.meeting.cursor / SAMPLE_RATE / upload.seconds)


def unasked_since(now: datetime) -> QuerySet[ApiJob, str]:
    """Return the ids of the meetings of jobs that no program has asked for in their period."""
    unasked = Q(is_kept=False, asked_at__lt=now - REJOIN) | Q(is_kept=True, asked_at__lt=now - JOB_KEPT)
    return ApiJob.objects.filter(unasked).values_list("meeting_id", flat=True)


def _join(job: ApiJob) -> ApiJob | None:
    """Join the newest job of an equal request. One that failed for a reason of ours is not joined."""
    equal = ApiJob.objects.filter(token_id=job.token_id, fingerprint=job.fingerprint)
    wanted = equal.filter(Q(asked_at__gte=timezone.now() - REJOIN) | _unfinished())
    failed = Q(meeting__upload__state=UploadState.FAILED, meeting__upload__failure__in=NOTHING_HEARD)
    newest = wanted.exclude(failed).order_by("-created_at").first()
    if newest is None:
        return None
    newest.is_kept = newest.is_kept or job.is_kept
    joined = equal.filter(pk=newest.pk).update(
        readers=F("readers") + 1, asked_at=timezone.now(), is_kept=newest.is_kept
    )
    if not joined:
        return None
    if not job.is_kept:
        uploads.await_text(newest.meeting_id)
    return newest


def _require_few(token_id: int) -> None:
    """Raises TooManyJobs."""
    own = ApiJob.objects.filter(token_id=token_id)
    if own.filter(_unfinished()).count() >= MAX_UNFINISHED_OF_TOKEN:
        raise TooManyJobs(f"{MAX_UNFINISHED_OF_TOKEN} recordings of this token are not done yet, the most at once.")
    if own.count() >= MAX_JOBS_OF_TOKEN:
        raise TooManyJobs(f"{MAX_JOBS_OF_TOKEN} jobs of this token are kept, the most. Delete some.")
    if ApiJob.objects.filter(_unfinished()).count() >= MAX_UNFINISHED:
        raise TooManyJobs("The server has as many recordings of programs to do as it takes at once.")


def _unfinished() -> Q:
    states = (UploadState.RECEIVING, UploadState.WAITING, UploadState.CAPTIONING)
    return Q(meeting__upload__state__in=states)
