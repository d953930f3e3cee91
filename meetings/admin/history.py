"""Correction history: who changed a text, and when."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from meetings.admin.rows import Rows
from meetings.models import Correction


class Corrections(Rows):
    """Read-only."""

    model = Correction
    verbose_name_plural = gettext_lazy("corrections")
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Correction]:
        return super().get_queryset(request).select_related("editor")


class CaptionCorrections(Corrections):
    """Of a caption and its translations."""

    fields = ("created_at", "editor", "language", "before", "after")
    readonly_fields = fields


class SummaryCorrections(Corrections):
    """Of a summary and its translations."""

    fields = ("created_at", "editor", "language", "item", "before", "after")
    readonly_fields = fields
