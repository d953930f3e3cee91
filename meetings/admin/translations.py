"""Translations of captions in the admin: find, filter, correct, make again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from meetings.admin.correcting import TextForm, announce
from meetings.admin.rows import Rows
from meetings.models import Meeting, Translation
from meetings.search.finding import translating
from meetings.store.corrections import ChangedMeanwhile, correct_translation


class TranslationForm(TextForm):
    class Meta:
        model = Translation
        fields = ("text",)


def save_translation(request: HttpRequest, translation: Translation, text: str, *, seen: str | None) -> None:
    """Store the translation and notify open screens; if it was changed in the meantime, report that instead.

    Args:
        seen: The text that the editor saw; None: replace whatever is stored.
    """
    caption, editor_id = translation.caption, request.user.pk
    place = (caption.meeting_id, caption.segment, translation.language)
    try:
        seq = correct_translation(*place, text, editor_id=editor_id, seen=seen)
    except ChangedMeanwhile as error:
        messages.error(request, str(error))
    else:
        announce(caption.meeting_id, seq)


class Translations(Rows):
    """The translations of a caption, editable."""

    model = Translation
    form = TranslationForm
    fields = ("language", "text", "is_translated", "is_text_fixed")
    readonly_fields = ("language", "is_translated", "is_text_fixed")


@admin.register(Translation)
class TranslationAdmin(admin.ModelAdmin[Translation]):
    """Deleted translations are made again."""

    form = TranslationForm
    list_display = ("said", "language", "text", "meeting", "is_translated", "is_text_fixed")
    list_editable = ("text",)
    list_filter = ("is_text_fixed", "is_translated", "language")
    list_select_related = ("caption__meeting",)
    list_per_page = 50
    ordering = ("caption__meeting", "caption__start", "language")
    search_fields = ("text",)
    search_help_text = gettext_lazy("Beginnings of words, with or without accents.")
    show_full_result_count = False
    fields = ("meeting", "said", "language", "text", "is_translated", "is_text_fixed")
    readonly_fields = ("meeting", "said", "language", "is_translated", "is_text_fixed")

    @admin.display(description=gettext_lazy("as said"), ordering="caption__text")
    def said(self, translation: Translation) -> str:
        return translation.caption.text

    @admin.display(description=gettext_lazy("meeting"), ordering="caption__meeting")
    def meeting(self, translation: Translation) -> Meeting:
        return translation.caption.meeting

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Translation], search_term: str
    ) -> tuple[QuerySet[Translation], bool]:
        return (queryset.filter(translating(search_term)) if search_term else queryset), False

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> type[TranslationForm]:
        return TranslationForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Translation, form: Any, change: bool) -> None:
        """Save through `meetings.store.corrections`, which numbers every change for the viewers."""
        save_translation(request, obj, form.cleaned_data["text"], seen=form.seen("text"))

    def delete_model(self, request: HttpRequest, obj: Translation) -> None:
        save_translation(request, obj, "", seen=None)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Translation]) -> None:
        for translation in queryset.select_related("caption"):
            self.delete_model(request, translation)
