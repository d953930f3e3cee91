"""Related objects as inline rows, read-only or editable."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class Rows(admin.TabularInline[Any, Any]):
    """Inline without adding or deleting."""

    template = "admin/rows.html"
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
