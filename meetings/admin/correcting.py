"""Forms for corrections, which never overwrite a text that the editor has not seen."""

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
    """A form that knows the initial values of its fields, which need `show_hidden_initial`."""

    def seen(self, name: str) -> str | None:
        """Return the value that the editor saw; None: the request does not contain it."""
        widget = self.fields[name].hidden_widget()
        return widget.value_from_datadict(self.data, self.files, self.add_initial_prefix(name))

    def fitted(self, name: str, present: str) -> str:
        """Return the text as it is stored. Raises ValidationError, also if the editor did not see `present`."""
        if self.seen(name) not in (None, present):
            raise ValidationError(str(ChangedMeanwhile()))
        try:
            return fit_text(self.cleaned_data[name])
        except UnfitText as error:
            raise ValidationError(str(error)) from error


class TextForm(SeenForm):
    """Form for a row whose `text` can be corrected."""

    text = forms.CharField(
        required=False,
        strip=False,
        show_hidden_initial=True,
        widget=forms.Textarea({**AREA, "aria-label": gettext_lazy("Text")}),
    )

    def clean_text(self) -> str:
        return self.fitted("text", self.instance.text)


def corrected_rows(formset: Any) -> list[Any]:
    """Return the changed forms; the form set only reports them to the admin's log and saves none itself."""
    rows = [row for row in formset.forms if row.has_changed()]
    formset.new_objects, formset.deleted_objects = [], []
    formset.changed_objects = [(row.instance, row.changed_data) for row in rows]
    return rows


def announce(meeting_id: str, seq: int) -> None:
    """Notify screens and workers after the commit."""
    transaction.on_commit(partial(requeue, meeting_id, seq))


def say_what_went(request: HttpRequest, languages: Collection[str], *, left: Callable[[], Collection[str]]) -> None:
    """After the commit, report which corrected translations were deleted with the old text."""

    def say() -> None:
        gone = [language_name(language) for language in languages if language not in left()]
        if gone:
            sentence = _("Corrected translations of the old words are made again, from the new ones: %(languages)s.")
            messages.warning(request, sentence % {"languages": ", ".join(gone)})

    transaction.on_commit(say)
