"""Django's admin over meetings and what belongs to them: find, filter, read, correct, export, delete."""

from meetings.admin import captions, meetings, speakers, summaries, swaps

__all__ = ["captions", "meetings", "speakers", "summaries", "swaps"]
