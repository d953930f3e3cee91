"""What belongs to a thing, as rows on its page: to read, or to correct where they stand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class Rows(admin.TabularInline[Any, Any]):
    """None is added or taken away here."""

    template = "admin/rows.html"
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
