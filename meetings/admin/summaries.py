"""Summaries in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from meetings.admin.asking import ask_for_summaries
from meetings.models import Meeting, Summary
from meetings.search import summing_up


@admin.register(Summary)
class SummaryAdmin(admin.ModelAdmin[Summary]):
    """To read: what a summary says is for the captions that it cites, not for an editor."""

    list_display = ("meeting", "from_s", "to_s", "language", "text", "created_at")
    list_filter = ("language", "created_at")
    list_select_related = ("meeting",)
    search_fields = ("text",)
    search_help_text = gettext_lazy("Beginnings of words, with or without accents.")
    date_hierarchy = "created_at"
    fields = ("meeting", "from_s", "to_s", "language", "text", "items_as_list", "translated_into", "seq", "created_at")
    readonly_fields = fields
    actions = ("summarise",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Summary], search_term: str
    ) -> tuple[QuerySet[Summary], bool]:
        return (queryset.filter(summing_up(search_term)) if search_term else queryset), False

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
