"""Django admin for meetings and everything that belongs to them: find, filter, read, correct, export, delete."""

from meetings.admin import captions, meetings, sign_in_attempts, speakers, summaries, swaps, translations

__all__ = ["captions", "meetings", "sign_in_attempts", "speakers", "summaries", "swaps", "translations"]
