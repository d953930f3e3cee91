"""Captions in the admin: found by what they say, corrected where they stand, with who changed what and when."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from meetings.corrections import ChangedMeanwhile, UnfitText, correct_text, fit_text
from meetings.models import Caption, CaptionEdit, Meeting, Translation
from meetings.search import saying
from meetings.waking import wake

INLINE_CAPTIONS = 50
"""An hour of speech has about a thousand captions; the page of a meeting shows the newest, the caption list all."""


class CaptionForm(forms.ModelForm[Caption]):
    """A caption's text, and what it was when the page was made: nobody overwrites what they have not seen."""

    text = forms.CharField(
        required=False,
        strip=False,
        show_hidden_initial=True,
        widget=forms.Textarea({"rows": 2, "cols": 60, "dir": "auto", "aria-label": gettext_lazy("Text")}),
    )

    class Meta:
        model = Caption
        fields = ("text",)

    @property
    def seen(self) -> str | None:
        """None: the request does not say."""
        field = self.fields["text"]
        return field.hidden_widget().value_from_datadict(self.data, self.files, self.add_initial_prefix("text"))

    def clean_text(self) -> str:
        if self.seen is not None and self.seen != self.instance.text:
            raise ValidationError(str(ChangedMeanwhile()))
        try:
            return fit_text(self.cleaned_data["text"])
        except UnfitText as error:
            raise ValidationError(str(error)) from error


def save_correction(request: HttpRequest, form: CaptionForm) -> None:
    """Like the host's: a revision, told to open screens and translated again once it can be read."""
    caption, text = form.instance, form.cleaned_data["text"]
    try:
        seq = correct_text(caption.meeting_id, caption.segment, text, editor_id=request.user.pk, seen=form.seen)
    except ChangedMeanwhile as error:
        messages.error(request, str(error))
    else:
        transaction.on_commit(partial(wake, caption.meeting_id, seq))


class NewestCaptions(admin.TabularInline[Caption, Meeting]):
    """The newest captions of a meeting, to read and to correct."""

    model = Caption
    form = CaptionForm
    verbose_name_plural = f"newest {INLINE_CAPTIONS} captions"
    fields = ("start", "speaker", "text")
    readonly_fields = ("start", "speaker")
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


class Translations(admin.TabularInline[Translation, Caption]):
    """A caption in other languages, to read."""

    model = Translation
    fields = ("language", "text", "is_translated")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Caption | None = None) -> bool:
        return False


class Edits(admin.TabularInline[CaptionEdit, Caption]):
    """Who changed the text, and when."""

    model = CaptionEdit
    verbose_name_plural = gettext_lazy("corrections")
    fields = ("created_at", "editor", "before", "after")
    readonly_fields = fields
    ordering = ("pk",)
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[CaptionEdit]:
        return super().get_queryset(request).select_related("editor")

    def has_add_permission(self, request: HttpRequest, obj: Caption | None = None) -> bool:
        return False


@admin.register(Caption)
class CaptionAdmin(admin.ModelAdmin[Caption]):
    form = CaptionForm
    inlines = (Edits, Translations)
    list_display = ("start", "text", "speaker", "meeting", "language", "is_text_fixed")
    list_editable = ("text",)
    list_filter = ("is_text_fixed", "language", "meeting__state", "created_at")
    list_select_related = ("meeting",)
    list_per_page = 50
    search_fields = ("text",)
    search_help_text = gettext_lazy("Beginnings of words, with or without accents.")
    date_hierarchy = "created_at"
    show_full_result_count = False
    readonly_fields = (
        "meeting",
        "heard",
        "speaker",
        "start",
        "end",
        "language",
        "segment",
        "seq",
        "revision",
        "created_at",
    )
    fields = ("meeting", "text", *readonly_fields[1:])

    @admin.display(description=gettext_lazy("as heard"))
    def heard(self, caption: Caption) -> str:
        """What the model wrote, whatever was corrected since."""
        first = caption.edits.order_by("pk").first()
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
        """Captions change through `meetings.corrections` alone, which numbers every change for the viewers."""
        save_correction(request, form)
