"""URL patterns of accounts and links; included in `meetings.urls`."""

from __future__ import annotations

from django.urls import path

from meetings.web import account_views, api_views, export_views, link_views, openid_views

urlpatterns = [
    path("host/<str:meeting_id>/links/", link_views.links_page, name="links"),
    path("host/<str:meeting_id>/export.zip", export_views.export_meeting, name="export"),
    path("account/", account_views.account_page, name="account"),
    path("account/tokens/<int:token_id>/revoke/", account_views.revoke_token, name="revoke-token"),
    path("account/webhooks/", account_views.add_webhook, name="add-webhook"),
    path("account/webhooks/<int:webhook_id>/remove/", account_views.remove_webhook, name="remove-webhook"),
    path("openid/sign-in/", openid_views.sign_in, name="openid"),
    path("openid/callback/", openid_views.callback, name="openid-callback"),
    path("v1/audio/transcriptions", api_views.transcriptions, name="transcriptions"),
    path("v1/audio/translations", api_views.translations, name="translations"),
    path("v1/audio/jobs/<str:job_id>", api_views.job, name="api-job"),
    path("v1/models", api_views.models, name="api-models"),
    path("v1/models/<path:name>", api_views.model, name="api-model"),
    path("v1/<path:rest>", api_views.unknown_address, name="api-unknown"),
]
