"""Captions in the admin: full text search, corrections in the list, and the history of changes."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy

from meetings.admin.correcting import TextForm, announce, corrected_rows, say_what_went
from meetings.admin.history import CaptionCorrections
from meetings.admin.rows import Rows
from meetings.admin.speaker_names import shown_name, with_speaker_names
from meetings.admin.translations import Translations, save_translation
from meetings.models import Caption
from meetings.search.finding import saying
from meetings.store.corrections import ChangedMeanwhile, correct_text, corrected_languages
from meetings.text import clock

INLINE_CAPTIONS = 50
"""An hour of speech has about a thousand captions; the page of a meeting shows the newest, the caption list all."""


class CaptionForm(TextForm):
    class Meta:
        model = Caption
        fields = ("text",)


def save_correction(request: HttpRequest, form: CaptionForm) -> None:
    """Store it like the host's correction: a revision, sent to open screens and translated again after the commit."""
    caption, text, seen = form.instance, form.cleaned_data["text"], form.seen("text")
    languages = corrected_languages(caption)
    try:
        seq = correct_text(caption.meeting_id, caption.segment, text, editor_id=request.user.pk, seen=seen)
    except ChangedMeanwhile as error:
        messages.error(request, str(error))
    else:
        announce(caption.meeting_id, seq)
        say_what_went(request, languages, left=partial(corrected_languages, caption))


class NewestCaptions(Rows):
    """The newest captions of a meeting, editable."""

    model = Caption
    form = CaptionForm
    verbose_name_plural = format_lazy(gettext_lazy("newest {count} captions"), count=INLINE_CAPTIONS)
    fields = ("time", "speaker_name", "text")
    readonly_fields = ("time", "speaker_name")
    ordering = ("-start",)
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Caption]:
        """Filter by ids, because the form set cannot filter a sliced query set."""
        rows = with_speaker_names(super().get_queryset(request))
        match = request.resolver_match
        meeting_id = match.kwargs.get("object_id") if match else None
        newest = rows.filter(meeting_id=meeting_id).order_by("-start").values_list("pk", flat=True)[:INLINE_CAPTIONS]
        return rows.filter(pk__in=list(newest))

    @admin.display(description=gettext_lazy("time"))
    def time(self, caption: Caption) -> str:
        return clock(caption.start)

    @admin.display(description=gettext_lazy("speaker"))
    def speaker_name(self, caption: Caption) -> str:
        return shown_name(caption)


@admin.register(Caption)
class CaptionAdmin(admin.ModelAdmin[Caption]):
    form = CaptionForm
    inlines = (Translations, CaptionCorrections)
    list_display = ("time", "text", "speaker_name", "meeting", "language", "is_text_fixed")
    list_editable = ("text",)
    list_filter = ("is_text_fixed", "language", "meeting__state", "created_at")
    list_select_related = ("meeting",)
    list_per_page = 50
    search_fields = ("text",)
    search_help_text = gettext_lazy("Beginnings of words, with or without accents.")
    date_hierarchy = "created_at"
    show_full_result_count = False
    readonly_fields = ("meeting", "heard", "speaker_name", "time", "end_time", "language", "segment", "created_at")
    fields = ("meeting", "text", *readonly_fields[1:])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Caption]:
        return with_speaker_names(super().get_queryset(request))

    @admin.display(description=gettext_lazy("time"), ordering="start")
    def time(self, caption: Caption) -> str:
        return clock(caption.start)

    @admin.display(description=gettext_lazy("until"), ordering="end")
    def end_time(self, caption: Caption) -> str:
        return clock(caption.end)

    @admin.display(description=gettext_lazy("speaker"), ordering="speaker")
    def speaker_name(self, caption: Caption) -> str:
        return shown_name(caption)

    @admin.display(description=gettext_lazy("as heard"))
    def heard(self, caption: Caption) -> str:
        """The model's text before any correction."""
        first = caption.corrections.filter(language="").order_by("pk").first()
        return first.before if first else caption.text

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Caption], search_term: str
    ) -> tuple[QuerySet[Caption], bool]:
        return (queryset.filter(saying(search_term)) if search_term else queryset), bool(search_term)

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> type[CaptionForm]:
        return CaptionForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Caption, form: Any, change: bool) -> None:
        """Save through `meetings.store.corrections`, which numbers every change for the viewers."""
        save_correction(request, form)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save corrected inline translations; if the caption was corrected too, they belong to the new text."""
        is_reworded = "text" in form.changed_data
        for row in corrected_rows(formset):
            seen = None if is_reworded else row.seen("text")
            save_translation(request, row.instance, row.cleaned_data["text"], seen=seen)
