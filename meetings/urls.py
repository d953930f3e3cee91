"""HTTP paths; sockets are in `meetings.asgi`."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path
from django.views.i18n import set_language

from meetings.admin import search_view
from meetings.ops import operations
from meetings.web import (
    correction_views,
    health,
    join_views,
    meeting_views,
    sample_views,
    transcript_views,
    upload_views,
)

urlpatterns = [
    path("", meeting_views.meetings, name="meetings"),
    path("first-steps/hide", meeting_views.hide_first_steps, name="hide-first-steps"),
    path("states", meeting_views.meeting_states, name="meeting-states"),
    path("host/<str:meeting_id>/", meeting_views.host_page, name="host"),
    path("host/<str:meeting_id>/qr.svg", meeting_views.qr_card, name="qr"),
    path("host/<str:meeting_id>/delete/", meeting_views.delete_meeting, name="delete"),
    path("join/", join_views.join_page, name="join"),
    path("m/<str:meeting_id>/", meeting_views.viewer_page, name="viewer"),
    path("m/<str:meeting_id>/transcript.<str:format_name>", meeting_views.transcript, name="transcript"),
    path("m/<str:meeting_id>/read/", transcript_views.transcript_page, name="read"),
    path("m/<str:meeting_id>/read/second-pass", transcript_views.second_pass_state, name="second-pass"),
    path("m/<str:meeting_id>/recording", transcript_views.recording, name="recording"),
    path("m/<str:meeting_id>/lines/<str:segment>", correction_views.correct_line, name="correct-line"),
    path("m/<str:meeting_id>/speakers/<str:label>", correction_views.correct_speaker, name="correct-speaker"),
    path("m/<str:meeting_id>/summaries/<int:summary_id>", correction_views.correct_summary, name="correct-summary"),
    path("", include("meetings.web.account_urls")),
    path("uploads/", upload_views.upload_page, name="uploads"),
    path("uploads/list", upload_views.upload_list, name="upload-list"),
    path("uploads/<str:meeting_id>", upload_views.upload_chunks, name="upload-chunks"),
    path("sample/", sample_views.try_sample, name="try-sample"),
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("sign-in/<str:uid>/<str:token>/", meeting_views.sign_in, name="sign-in"),
    path("interface-language/", set_language, name="set_language"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("admin/operations/tell", admin.site.admin_view(operations.tell), name="tell-worker"),
    path("admin/operations/try-again", admin.site.admin_view(operations.try_again), name="try-again"),
    path("admin/operations/", admin.site.admin_view(operations.operations), name="operations"),
    path("admin/search/", admin.site.admin_view(search_view.search_page), name="search"),
    path("admin/", admin.site.urls),
]
