"""Models of accounts: API tokens with their jobs, webhooks with their deliveries, and ended sign-ins."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from meetings.models.locked_deletion import LockedDeletion
from meetings.models.meetings import Meeting


class EndedSignIn(models.Model):
    """A sign-in that was signed out of; tokens issued to its pages are no longer valid."""

    name = models.CharField(primary_key=True, max_length=32)
    ended_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return self.name


class ApiToken(LockedDeletion):
    """A user's API token. It is shown once; only its digest is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the token, in hexadecimal.")
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name


def new_job_id() -> str:
    """Return an unguessable id of 128 bits."""
    return secrets.token_hex(16)


class ApiJob(models.Model):
    """A recording that a program sent, and how it wants the result. Functions are in `meetings.store.api_jobs`.

    The recording itself is the upload of an ephemeral meeting, which lives as long as its job.
    """

    id = models.CharField(primary_key=True, max_length=32, default=new_job_id, editable=False)
    meeting = models.OneToOneField(Meeting, on_delete=models.CASCADE, related_name="api_job")
    token = models.ForeignKey(ApiToken, on_delete=models.CASCADE, related_name="jobs")
    fingerprint = models.CharField(
        max_length=64, help_text="SHA-256 of the file's SHA-256 and the options; empty: nobody joins it any more."
    )
    options: models.JSONField[Any, Any] = models.JSONField(default=dict, help_text="The form of the result.")
    is_kept = models.BooleanField(default=False, help_text="Its result is fetched later (Prefer: respond-async).")
    readers = models.PositiveIntegerField(default=0, help_text="Requests that wait for it.")
    asked_at = models.DateTimeField(default=timezone.now, db_index=True, help_text="When a program last asked for it.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)
        indexes = (models.Index(fields=("token", "fingerprint"), name="jobs_to_join"),)

    def __str__(self) -> str:
        return self.pk


def new_webhook_secret() -> str:
    """Return 192 random bits in the form of https://www.standardwebhooks.com (base64 after a prefix)."""
    return f"whsec_{secrets.token_urlsafe(24)}"


class Webhook(LockedDeletion):
    """A user's address that is notified when a meeting or a summary is ready."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    url = models.URLField(max_length=500)
    secret = models.CharField(max_length=64, default=new_webhook_secret, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.url


class Delivery(models.Model):
    """One message to a webhook, until it is accepted or given up."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=32)
    body = models.TextField(help_text="JSON as it is signed and sent.")
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now, null=True, blank=True, help_text="Empty: it is over.")
    delivered_at = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(max_length=200, blank=True, help_text="Of the last attempt.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = "deliveries"
        indexes = (models.Index(fields=("next_at",), name="deliveries_due"),)

    def __str__(self) -> str:
        return f"{self.event}, {self.webhook_id}"
