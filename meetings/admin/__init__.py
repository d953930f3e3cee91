"""Django admin for meetings and everything that belongs to them: find, filter, read, correct, export, delete."""

from meetings.admin import captions, meetings, speakers, summaries, swaps, translations

__all__ = ["captions", "meetings", "speakers", "summaries", "swaps", "translations"]
