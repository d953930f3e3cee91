"""Summaries in the admin: full text search, and corrections of the original and its translations."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from meetings.admin.asking import ask_for_summaries
from meetings.admin.correcting import announce, say_what_went
from meetings.admin.history import SummaryCorrections
from meetings.admin.summary_form import SummaryForm, fieldsets_of, form_of
from meetings.models import Meeting, Summary
from meetings.search.finding import summing_up
from meetings.store.corrections import ChangedMeanwhile
from meetings.store.summary_corrections import correct_summary, corrected_languages


@admin.register(Summary)
class SummaryAdmin(admin.ModelAdmin[Summary]):
    inlines = (SummaryCorrections,)
    list_display = ("meeting", "from_s", "to_s", "language", "text", "created_at")
    list_filter = ("language", "created_at")
    list_select_related = ("meeting",)
    search_fields = ("text",)
    search_help_text = gettext_lazy("Beginnings of words, with or without accents.")
    date_hierarchy = "created_at"
    readonly_fields = ("meeting", "from_s", "to_s", "language", "seq", "created_at")
    actions = ("summarise",)

    def get_form(self, request: HttpRequest, obj: Summary | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **{**kwargs, "form": form_of(obj) if obj else SummaryForm})

    def get_fieldsets(self, request: HttpRequest, obj: Summary | None = None) -> Any:
        """Users without the change permission see the texts read-only."""
        readable: list[tuple[Any, dict[str, Any]]] = [(None, {"fields": self.readonly_fields})]
        if obj is None or self.has_change_permission(request, obj):
            return [*readable, *(fieldsets_of(obj) if obj else ())]
        return [(None, {"fields": (*self.readonly_fields, "text", "items_as_list", "translated_into")})]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Summary], search_term: str
    ) -> tuple[QuerySet[Summary], bool]:
        return (queryset.filter(summing_up(search_term)) if search_term else queryset), False

    @admin.action(description=gettext_lazy("Summarise their meetings now"), permissions=["retry"])
    def summarise(self, request: HttpRequest, rows: QuerySet[Summary]) -> None:
        ask_for_summaries(request, Meeting.objects.filter(summaries__in=rows).distinct())

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may change meetings, because a further summary is requested."""
        return request.user.has_perm("meetings.change_meeting")

    @admin.display(description="items")
    def items_as_list(self, summary: Summary) -> SafeString:
        """One line per item: kind, text, owner, and the ids of its captions."""
        rows = (
            (item["kind"], item["text"], item["owner"] or "", ", ".join(item["segments"])) for item in summary.items
        )
        return format_html_join("", "<div><b>{}</b> {} {} <small>{}</small></div>", rows)

    @admin.display(description="translated into")
    def translated_into(self, summary: Summary) -> str:
        return ", ".join(sorted(summary.translations)) or "–"

    def save_model(self, request: HttpRequest, obj: Summary, form: Any, change: bool) -> None:
        """Save through `meetings.store.summary_corrections`, which numbers every change for the viewers."""
        languages = corrected_languages(obj)
        try:
            seq = correct_summary(obj.meeting_id, obj.pk, form.rewordings(), editor_id=request.user.pk)
        except ChangedMeanwhile as error:
            messages.error(request, str(error))
        else:
            announce(obj.meeting_id, seq)
            say_what_went(request, languages, left=lambda: corrected_languages(Summary.objects.get(pk=obj.pk)))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
