"""The form of a summary: a field for each of its texts, as written and in other languages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from meetings.admin.correcting import AREA, SeenForm
from meetings.languages import is_right_to_left, language_name
from meetings.models import Summary
from meetings.store.summary_corrections import AS_WRITTEN, Rewording, wordings

ITEM_KINDS = {
    "topic": gettext_noop("Topic"),
    "decision": gettext_noop("Decision"),
    "action": gettext_noop("Action"),
    "question": gettext_noop("Question"),
}


@dataclass(frozen=True, slots=True)
class Passage:
    """One text of a summary, in one language."""

    language: str
    """`AS_WRITTEN`, or the language of a translation."""
    place: int
    """0: the summary's own text; from 1: its items."""
    text: str

    @property
    def name(self) -> str:
        """The name of its field."""
        return f"{self.language or 'written'}-{self.place}"


class SummaryForm(SeenForm):
    """Base of the forms that `form_of` creates with the fields of a summary."""

    class Meta:
        model = Summary
        fields = ()

    passages: tuple[Passage, ...] = ()

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for passage in self._changed():
            try:
                self.cleaned_data[passage.name] = self.fitted(passage.name, passage.text)
            except ValidationError as error:
                self.add_error(passage.name, error)
        return cleaned

    def rewordings(self) -> dict[str, list[Rewording]]:
        """Return the changes by language; the form must be valid."""
        found: dict[str, list[Rewording]] = {}
        for passage in self._changed():
            rewording = Rewording(passage.place, self.cleaned_data[passage.name], self.seen(passage.name))
            found.setdefault(passage.language, []).append(rewording)
        return found

    def _changed(self) -> Iterator[Passage]:
        return (passage for passage in self.passages if passage.name in self.changed_data)


def form_of(summary: Summary) -> type[SummaryForm]:
    passages = passages_of(summary)
    fields = {passage.name: _field(summary, passage) for passage in passages}
    return type("SummaryForm", (SummaryForm,), {"passages": passages, **fields})


def passages_of(summary: Summary) -> tuple[Passage, ...]:
    return tuple(
        Passage(language, place, text)
        for language, texts in wordings(summary).items()
        for place, text in enumerate(texts)
    )


def fieldsets_of(summary: Summary) -> list[tuple[str, dict[str, Any]]]:
    """Return one for the summary as written, and one for each translation."""
    names: dict[str, list[str]] = {}
    for passage in passages_of(summary):
        names.setdefault(passage.language, []).append(passage.name)
    return [(_heading(summary, language), {"fields": fields}) for language, fields in names.items()]


def _heading(summary: Summary, language: str) -> str:
    if language == AS_WRITTEN:
        return _("As written: %(language)s") % {"language": language_name(summary.language)}
    return capfirst(language_name(language))


def _field(summary: Summary, passage: Passage) -> forms.CharField:
    language = passage.language or summary.language
    direction = "rtl" if is_right_to_left(language) else "ltr"
    item = summary.items[passage.place - 1] if passage.place else None
    return forms.CharField(
        required=False,
        strip=False,
        show_hidden_initial=True,
        initial=passage.text,
        label=_label(item, passage.place),
        help_text=_places(summary, item) if passage.language == AS_WRITTEN and item else "",
        widget=forms.Textarea({**AREA, "lang": language, "dir": direction}),
    )


def _label(item: dict[str, Any] | None, place: int) -> str:
    """Return the kind of item, and its owner."""
    if item is None:
        return _("Text")
    kind = _(ITEM_KINDS[item["kind"]])
    return f"{place}. {kind} ({item['owner']})" if item["owner"] else f"{place}. {kind}"


def _places(summary: Summary, item: dict[str, Any]) -> SafeString:
    """Link to the captions on the transcript page."""
    page = reverse("read", args=[summary.meeting_id])
    return format_html_join(", ", '<a href="{}#c-{}">{}</a>', ((page, place, place) for place in item["segments"]))
