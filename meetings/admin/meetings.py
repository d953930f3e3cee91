"""Meetings in the admin: list, full text search, summaries, translations, export, deletion."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename
from django.db import transaction
from django.db.models import DateTimeField, F, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from inference.audio import SAMPLE_RATE
from meetings.accounts.rights import READING, Deed
from meetings.admin.asking import ask_for_summaries, ask_for_translations
from meetings.admin.captions import NewestCaptions, save_correction
from meetings.admin.correcting import corrected_rows
from meetings.admin.glance import LostFilter, MeetingList, OriginFilter, counted
from meetings.admin.meeting_form import FIELDSETS, MeetingAdminForm
from meetings.admin.widgets import LabelledSplitDateTime
from meetings.broker.notify import notify_recheck
from meetings.export.zip_archive import stream_zip
from meetings.models import Caption, Meeting, Speaker, Summary
from meetings.ops.meeting_charts import charts_of
from meetings.search.finding import about
from meetings.text import clock

BELONGINGS: tuple[type[Model], ...] = (Caption, Speaker, Summary)
"""Deleting a meeting requires the permission to delete these, too."""

DELETED: tuple[type[Model], ...] = (Meeting, *BELONGINGS)


@admin.register(Meeting)
class MeetingAdmin(admin.ModelAdmin[Meeting]):
    list_display = ("title", "state", "length", "speakers_", "languages_", "captions_", "lag", "lost", "created_at")
    list_filter = ("state", "language", OriginFilter, LostFilter, "created_at", "owner")
    list_per_page = 50
    search_fields = ("title",)
    search_help_text = gettext_lazy("Words in the title, or beginnings of words in what was said.")
    date_hierarchy = "created_at"
    form = MeetingAdminForm
    fieldsets = FIELDSETS
    readonly_fields = ("id", "state", "created_at", "started_at", "ended_at", "length", "lost")
    formfield_overrides = {  # noqa: RUF012  (Django's way)
        DateTimeField: {"form_class": forms.SplitDateTimeField, "widget": LabelledSplitDateTime},
    }
    inlines = (NewestCaptions,)
    actions = ("summarise", "translate_again", "replace_links", "export")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[MeetingList]:
        return MeetingList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Meeting]:
        return counted(super().get_queryset(request))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Meeting], search_term: str
    ) -> tuple[QuerySet[Meeting], bool]:
        if search_term:
            said = about(search_term) if request.user.has_perms(READING) else Q()
            queryset = queryset.filter(Q(title__icontains=search_term) | said)
        return queryset, False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        meeting = self.get_object(request, object_id)
        charts = charts_of(meeting) if meeting and self.has_view_permission(request, meeting) else None
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "charts": charts})

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Return titles and counts for the confirmation instead of every line; a deletion needs all permissions."""
        keys = [meeting.pk for meeting in objs]
        counts = {str(model._meta.verbose_name_plural): _belonging(model, keys) for model in BELONGINGS}
        missing = {
            str(model._meta.verbose_name)
            for model in DELETED
            if not request.user.has_perm(f"meetings.{get_permission_codename('delete', model._meta)}")
        }
        return [str(meeting) for meeting in objs], {"meetings": len(keys), **counts}, missing, []

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save corrected inline captions."""
        for row in corrected_rows(formset):
            save_correction(request, row)

    @admin.action(description=gettext_lazy("Summarise now"), permissions=["change"])
    def summarise(self, request: HttpRequest, meetings: QuerySet[Meeting]) -> None:
        ask_for_summaries(request, meetings)

    @admin.action(description=gettext_lazy("Translate again"), permissions=["change"])
    def translate_again(self, request: HttpRequest, meetings: QuerySet[Meeting]) -> None:
        ask_for_translations(request, meetings)

    @admin.action(description=gettext_lazy("Replace the links"), permissions=["change"])
    def replace_links(self, request: HttpRequest, meetings: QuerySet[Meeting]) -> None:
        """Invalidate every link of these meetings, and disconnect those who came by one."""
        keys = list(meetings.values_list("pk", flat=True))
        Meeting.objects.filter(pk__in=keys).update(link_generation=F("link_generation") + 1)
        transaction.on_commit(partial(notify_recheck, *keys))
        messages.success(request, _("Links replaced: %(count)d.") % {"count": len(keys)})

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may see everything that an export holds."""
        return request.user.has_perms(Deed.EXPORT.value)

    @admin.action(description=gettext_lazy("Export as ZIP"), permissions=["export"])
    def export(self, request: HttpRequest, meetings: QuerySet[Meeting]) -> StreamingHttpResponse:
        keys = list(meetings.values_list("pk", flat=True))
        headers = {
            "Content-Disposition": f'attachment; filename="meetings-{timezone.now():%Y%m%d-%H%M%S}.zip"',
            "Cache-Control": "private, no-store",
        }
        pieces = stream_zip(keys, get_language() or "en")
        return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)

    @admin.display(description=gettext_lazy("length"), ordering="cursor")
    def length(self, meeting: Meeting) -> str:
        """Length of the captioned audio."""
        return clock(meeting.cursor / SAMPLE_RATE)

    @admin.display(description=gettext_lazy("speakers"), ordering="speakers_count")
    def speakers_(self, meeting: Any) -> int:
        return int(meeting.speakers_count)

    @admin.display(description=gettext_lazy("captions"), ordering="captions_count")
    def captions_(self, meeting: Any) -> int:
        return int(meeting.captions_count)

    @admin.display(description=gettext_lazy("languages"))
    def languages_(self, meeting: Meeting) -> str:
        """The spoken language, then the languages offered in addition."""
        return ", ".join(dict.fromkeys([meeting.language, *meeting.languages]))

    @admin.display(description=gettext_lazy("lag"))
    def lag(self, meeting: Any) -> str:
        """Seconds by which captions lag now; a dash: the meeting is over, or the lag is unknown."""
        return "–" if meeting.lag_s is None else f"{meeting.lag_s:.1f} s"

    @admin.display(description=gettext_lazy("lost"), ordering="missing_s")
    def lost(self, meeting: Meeting) -> str:
        """Seconds that the host's browser could not keep."""
        return f"{meeting.missing_s:.1f} s" if meeting.missing_s else "–"


def _belonging(model: type[Model], keys: Sequence[str]) -> int:
    return model._default_manager.filter(meeting__in=keys).count()
