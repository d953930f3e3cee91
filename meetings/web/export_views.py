"""Download of everything in one meeting."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from meetings.accounts.access import find_meeting, private
from meetings.accounts.rights import Deed, may
from meetings.export.zip_archive import stream_zip


@login_required
@private
@require_GET
def export_meeting(request: HttpRequest, meeting_id: str) -> StreamingHttpResponse:
    """Return the transcript in every format and language, and the recording, as one ZIP file."""
    meeting = find_meeting(meeting_id)
    if not may(request.user, Deed.EXPORT, meeting):
        raise PermissionDenied(_("Only the owner of a meeting may export it."))
    headers = {"Content-Disposition": f'attachment; filename="meeting-{meeting.pk}.zip"'}
    pieces = stream_zip([meeting.pk], get_language() or "en")
    return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)
