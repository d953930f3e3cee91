"""Django admin for meetings and everything that belongs to them: find, filter, read, correct, export, delete."""

from django.contrib import admin

from meetings.admin import captions, meetings, speakers, summaries, swaps, translations

__all__ = ["captions", "meetings", "speakers", "summaries", "swaps", "translations"]

admin.site.site_header = admin.site.site_title = "Parlance"
