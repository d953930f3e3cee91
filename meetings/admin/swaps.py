"""Swaps of models in the admin; read-only, as they are records."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from meetings.models import Swap


@admin.register(Swap)
class SwapAdmin(admin.ModelAdmin[Swap]):
    """Duration and result of every swap, with the reason of a failure."""

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
