"""Swaps of models in the admin: a record, so nobody changes it."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from meetings.models import Swap


@admin.register(Swap)
class SwapAdmin(admin.ModelAdmin[Swap]):
    """What every exchange of models took, and why one failed."""

    list_display = ("created_at", "worker", "direction", "outcome", "seconds", "gibibytes", "gigabytes_per_s", "reason")
    list_filter = ("outcome", "direction", "worker", "created_at")
    search_fields = ("reason",)
    date_hierarchy = "created_at"
    fields = (*list_display, "steps")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Swap | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Swap | None = None) -> bool:
        return False
