"""HTTP paths of accounts and links; part of `meetings.urls`."""

from __future__ import annotations

from django.urls import path

from meetings import link_views

urlpatterns = [
    path("host/<str:meeting_id>/links/", link_views.links_page, name="links"),
]
