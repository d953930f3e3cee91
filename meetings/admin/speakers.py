"""Speakers in the admin: rename and merge, as the host can."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from meetings.broker.notify import notify_change
from meetings.models import Speaker
from meetings.store.speakers import UnfitName, fit_name, merge_speakers, rename


class SpeakerForm(forms.ModelForm[Speaker]):
    """A name, validated like the host's."""

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
    list_display = ("shown_name", "label", "meeting", "merged_into")
    list_select_related = ("meeting",)
    search_fields = ("name", "meeting__title", "meeting__id")
    fields = ("meeting", "label", "name", "merged_into")
    readonly_fields = ("meeting", "label", "merged_into")
    actions = ("merge",)

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def shown_name(self, speaker: Speaker) -> str:
        return speaker.display_name

    @admin.action(description=gettext_lazy("They are one person"), permissions=["change"])
    def merge(self, request: HttpRequest, chosen: QuerySet[Speaker]) -> None:
        """Merge all of them into the one with the lowest number."""
        first, *others = sorted(chosen, key=lambda speaker: speaker.number)
        if not others or any(other.meeting_id != first.meeting_id for other in others):
            messages.error(request, _("Choose two speakers or more, of one meeting."))
            return
        for other in others:
            notify_change(first.meeting_id, merge_speakers(first.meeting_id, other.label, first.label))
        messages.success(request, _("All their lines are now those of %(name)s.") % {"name": first.display_name})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Speaker | None = None) -> bool:
        """Only speakers without lines can be deleted alone; the others are deleted with their meeting."""
        return obj is None or not obj.meeting.captions.filter(speaker=obj.label).exists()

    def save_model(self, request: HttpRequest, obj: Speaker, form: Any, change: bool) -> None:
        """Save like the host's change: numbered, stored, sent to open screens."""
        seq = rename(obj.meeting_id, obj.label, obj.name)
        transaction.on_commit(partial(notify_change, obj.meeting_id, seq))
