"""Forms for what somebody words themselves: nobody overwrites what they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from meetings.languages import language_name
from meetings.store.corrections import ChangedMeanwhile, UnfitText, fit_text
from meetings.store.requeue import requeue

AREA = {"rows": 2, "cols": 60, "dir": "auto"}


class SeenForm(forms.ModelForm[Any]):
    """Knows what its fields held when the page was made; they are to have `show_hidden_initial`."""

    def seen(self, name: str) -> str | None:
        """None: the request does not say."""
        widget = self.fields[name].hidden_widget()
        return widget.value_from_datadict(self.data, self.files, self.add_initial_prefix(name))

    def fitted(self, name: str, present: str) -> str:
        """The text as it can be stored. Raises ValidationError, also where it is not `present` that was seen."""
        if self.seen(name) not in (None, present):
            raise ValidationError(str(ChangedMeanwhile()))
        try:
            return fit_text(self.cleaned_data[name])
        except UnfitText as error:
            raise ValidationError(str(error)) from error


class TextForm(SeenForm):
    """Of a row whose `text` is somebody's to correct."""

    text = forms.CharField(
        required=False,
        strip=False,
        show_hidden_initial=True,
        widget=forms.Textarea({**AREA, "aria-label": gettext_lazy("Text")}),
    )

    def clean_text(self) -> str:
        return self.fitted("text", self.instance.text)


def corrected_rows(formset: Any) -> list[Any]:
    """Forms that say something else than before; the admin's log is told of them and saves none itself."""
    rows = [row for row in formset.forms if row.has_changed()]
    formset.new_objects, formset.deleted_objects = [], []
    formset.changed_objects = [(row.instance, row.changed_data) for row in rows]
    return rows


def announce(meeting_id: str, seq: int) -> None:
    """Tells screens and workers, once what is stored can be read."""
    transaction.on_commit(partial(requeue, meeting_id, seq))


def say_what_went(request: HttpRequest, languages: Collection[str], *, left: Callable[[], Collection[str]]) -> None:
    """Which of the corrected translations were of words that are other ones now, once everything is stored."""

    def say() -> None:
        gone = [language_name(language) for language in languages if language not in left()]
        if gone:
            sentence = _("Corrected translations of the old words are made again, from the new ones: %(languages)s.")
            messages.warning(request, sentence % {"languages": ", ".join(gone)})

    transaction.on_commit(say)
