"""Wrong passwords in the admin, in place of django-axes' own pages, which have no Portuguese. Deleting one unlocks."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from django.contrib import admin
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy, gettext_noop

MODEL_NAMES = (gettext_noop("access attempt"), gettext_noop("access attempts"))
"""How django-axes names its model: translated here."""


def named(attempt: AccessAttempt) -> str:
    return f"{attempt.username}, {localize(localtime(attempt.attempt_time))}"


AccessAttempt.add_to_class("__str__", named)  # where it is chosen, deleted and logged; its own words are English


@admin.register(AccessAttempt)
class SignInAttemptAdmin(admin.ModelAdmin[AccessAttempt]):
    """Who was refused, from where, and how often. What was typed is not shown."""

    list_display = ("name", "address", "failures", "last", "browser")
    list_display_links = None
    search_fields = ("username", "ip_address", "user_agent")
    date_hierarchy = "attempt_time"
    fields = list_display
    readonly_fields = list_display

    @admin.display(description=gettext_lazy("User name"), ordering="username")
    def name(self, attempt: AccessAttempt) -> str | None:
        return attempt.username

    @admin.display(description=gettext_lazy("Address"), ordering="ip_address")
    def address(self, attempt: AccessAttempt) -> str | None:
        return attempt.ip_address

    @admin.display(description=gettext_lazy("Wrong passwords"), ordering="failures_since_start")
    def failures(self, attempt: AccessAttempt) -> int:
        return attempt.failures_since_start

    @admin.display(description=gettext_lazy("Last one"), ordering="attempt_time")
    def last(self, attempt: AccessAttempt) -> Any:
        return attempt.attempt_time

    @admin.display(description=gettext_lazy("Browser"), ordering="user_agent")
    def browser(self, attempt: AccessAttempt) -> str:
        return attempt.user_agent

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        return False
