"""Admin widgets with accessible labels for their parts."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.widgets import AdminSplitDateTime
from django.utils.translation import gettext_lazy


class LabelledSplitDateTime(AdminSplitDateTime):
    """Django shows "Date:" and "Time:" next to the two fields, but labels neither."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        for widget, label in zip(self.widgets, (gettext_lazy("Date"), gettext_lazy("Time")), strict=True):
            widget.attrs["aria-label"] = label
