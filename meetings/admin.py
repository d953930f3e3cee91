"""Meetings, speakers, captions, summaries and swaps in Django's admin: find, filter, read, correct, delete."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from redis.exceptions import RedisError

from meetings.bell import ring
from meetings.models import Caption, Meeting, Speaker, Summary, Swap, Translation
from meetings.retries import summarise_now
from meetings.speakers import UnfitName, fit_name, rename

INLINE_CAPTIONS = 50
"""An hour of speech has about a thousand captions; the page of a meeting shows the newest, the caption list all."""


class NewestCaptions(admin.TabularInline[Caption, Meeting]):
    """The newest captions of a meeting, to read; corrections are made in the caption list."""

    model = Caption
    verbose_name_plural = f"newest {INLINE_CAPTIONS} captions"
    fields = ("start", "end", "speaker", "language", "text")
    readonly_fields = fields
    ordering = ("-start",)
    extra = 0
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Caption]:
        """Bounded by ids first: a sliced query set cannot be filtered again by the form set."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        meeting_id = match.kwargs.get("object_id") if match else None
        newest = rows.filter(meeting_id=meeting_id).order_by("-start").values_list("pk", flat=True)[:INLINE_CAPTIONS]
        return rows.filter(pk__in=list(newest))

    def has_add_permission(self, request: HttpRequest, obj: Meeting | None = None) -> bool:
        return False


def ask_for_summaries(request: HttpRequest, meetings: Iterable[Meeting]) -> None:
    """Asks for one of each meeting, and says what came of it."""
    try:
        asked = [summarise_now(meeting) for meeting in meetings]
    except (RedisError, OSError):
        messages.error(request, _("The broker does not answer: try again."))
        return
    if any(asked):
        messages.success(request, _("Summaries asked for: %(count)d.") % {"count": sum(asked)})
    if not all(asked):
        count = len(asked) - sum(asked)
        messages.warning(
            request, _("Nothing was said since the last summary: %(count)d of the meetings.") % {"count": count}
        )


@admin.register(Meeting)
class MeetingAdmin(admin.ModelAdmin[Meeting]):
    list_display = ("title", "state", "language", "owner", "created_at", "ended_at")
    list_filter = ("state", "language", "created_at")
    list_select_related = ("owner",)
    search_fields = ("title", "captions__text")
    search_help_text = "Words in the title or in what was said."
    date_hierarchy = "created_at"
    readonly_fields = ("id", "state", "created_at", "started_at", "ended_at", "last_seq", "cursor", "missing_s")
    inlines = (NewestCaptions,)
    actions = ("summarise",)

    @admin.action(description=gettext_lazy("Summarise now"), permissions=["change"])
    def summarise(self, request: HttpRequest, meetings: QuerySet[Meeting]) -> None:
        ask_for_summaries(request, meetings)


class SpeakerForm(forms.ModelForm[Speaker]):
    """A name, checked as the host's is."""

    class Meta:
        model = Speaker
        fields = ("name",)

    def clean_name(self) -> str:
        try:
            return fit_name(self.cleaned_data["name"])
        except UnfitName as error:
            raise ValidationError(str(error)) from error


@admin.register(Speaker)
class SpeakerAdmin(admin.ModelAdmin[Speaker]):
    form = SpeakerForm
    list_display = ("display_name", "label", "meeting", "merged_into")
    list_select_related = ("meeting",)
    search_fields = ("name", "meeting__title")
    fields = ("meeting", "label", "name", "merged_into")
    readonly_fields = ("meeting", "label", "merged_into")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Speaker | None = None) -> bool:
        """Lines belong to them; they go with their meeting."""
        return obj is None or not obj.meeting.captions.filter(speaker=obj.label).exists()

    def save_model(self, request: HttpRequest, obj: Speaker, form: Any, change: bool) -> None:
        """Like the host's word: numbered, stored, told to open screens."""
        ring(obj.meeting_id, rename(obj.meeting_id, obj.label, obj.name))


class Translations(admin.TabularInline[Translation, Caption]):
    """A caption in other languages, to read."""

    model = Translation
    fields = ("language", "text", "is_translated")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Caption | None = None) -> bool:
        return False


@admin.register(Caption)
class CaptionAdmin(admin.ModelAdmin[Caption]):
    inlines = (Translations,)
    list_display = ("text", "speaker", "meeting", "start", "end", "language", "revision")
    list_filter = ("language", "meeting__state", "created_at")
    list_select_related = ("meeting",)
    search_fields = ("text", "meeting__title")
    date_hierarchy = "created_at"
    show_full_result_count = False
    fields = ("meeting", "text", "speaker", "start", "end", "language", "segment", "seq", "revision", "created_at")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Caption | None = None) -> bool:
        """Captions change through `meetings.transcript` alone, which numbers every change for the viewers."""
        return False


@admin.register(Summary)
class SummaryAdmin(admin.ModelAdmin[Summary]):
    """To read: what a summary says is for the captions that it cites, not for an editor."""

    list_display = ("meeting", "from_s", "to_s", "language", "text", "created_at")
    list_filter = ("language", "created_at")
    list_select_related = ("meeting",)
    search_fields = ("text", "meeting__title")
    date_hierarchy = "created_at"
    fields = ("meeting", "from_s", "to_s", "language", "text", "items_as_list", "translated_into", "seq", "created_at")
    readonly_fields = fields
    actions = ("summarise",)

    @admin.action(description=gettext_lazy("Summarise their meetings now"), permissions=["retry"])
    def summarise(self, request: HttpRequest, rows: QuerySet[Summary]) -> None:
        ask_for_summaries(request, Meeting.objects.filter(summaries__in=rows).distinct())

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Whoever may change a meeting: summaries themselves are nobody's to change."""
        return request.user.has_perm("meetings.change_meeting")

    @admin.display(description="items")
    def items_as_list(self, summary: Summary) -> SafeString:
        """A line an item: kind, text, who is to do it, and the captions that say it."""
        rows = (
            (item["kind"], item["text"], item["owner"] or "", ", ".join(item["segments"])) for item in summary.items
        )
        return format_html_join("", "<div><b>{}</b> {} {} <small>{}</small></div>", rows)

    @admin.display(description="translated into")
    def translated_into(self, summary: Summary) -> str:
        return ", ".join(sorted(summary.translations)) or "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Summary | None = None) -> bool:
        """Workers write them through `meetings.summaries` alone, which numbers every change for the viewers."""
        return False


@admin.register(Swap)
class SwapAdmin(admin.ModelAdmin[Swap]):
    """What every exchange of models took, and why one failed; a record, so nobody changes it."""

    list_display = ("created_at", "worker", "direction", "outcome", "seconds", "gibibytes", "gigabytes_per_s", "reason")
    list_filter = ("outcome", "direction", "worker", "created_at")
    search_fields = ("reason",)
    date_hierarchy = "created_at"
    fields = (*list_display, "steps")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Swap | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Swap | None = None) -> bool:
        return False
