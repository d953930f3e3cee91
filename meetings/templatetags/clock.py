"""Times and seconds in readable form."""

from __future__ import annotations

from datetime import UTC, datetime

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from meetings.text import clock

register = template.Library()


register.filter(clock)


@register.filter
def duration(seconds: float) -> str:
    """Format as `1 h 05 min`, `12 min` or `45 s`; the symbols are the same in every language."""
    if seconds < 60:
        return f"{int(seconds)} s"
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


@register.filter
def moment(at: datetime) -> SafeString:
    """Return the time in UTC, which `static/js/local-times.js` turns into that of the reader's zone."""
    words = date_format(at.astimezone(UTC), "j M Y, H:i")
    return format_html('<time datetime="{}" data-moment>{} UTC</time>', at.isoformat(), words)
