"""The applications: Parlance itself, and Django's admin with Parlance's order of things."""

from __future__ import annotations

from typing import Any

import axes.apps
from django.apps import AppConfig
from django.contrib.admin import AdminSite
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate, pre_migrate
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

APP_ORDER = ("meetings", "auth", "axes")
"""On the admin's pages; what operators look for comes first."""

MODEL_ORDER = ("Meeting", "Caption", "Translation", "Summary", "Speaker", "Swap")


class MeetingsConfig(AppConfig):
    name = "meetings"
    verbose_name = gettext_lazy("Meetings")
    default = True

    def ready(self) -> None:
        """Connects the signal receivers."""
        from meetings.accounts import signout  # noqa: F401
        from meetings.postgresql.patience import never_hurry
        from meetings.search.finding import ensure_index
        from meetings.store import deletion  # noqa: F401

        pre_migrate.connect(never_hurry, sender=self)
        post_migrate.connect(ensure_index, sender=self)


class SignInAttemptsConfig(axes.apps.AppConfig):
    """django-axes under a name that can be read."""

    verbose_name = gettext_lazy("Sign-in attempts")
    default = False


class ParlanceAdminSite(AdminSite):
    site_header = site_title = "Parlance"
    index_title = gettext_lazy("Administration")
    enable_nav_sidebar = False
    """It takes the room of three columns of the list of meetings."""

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Put meetings first and sign-in attempts last, instead of the order of the alphabet."""
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda model: _place(MODEL_ORDER, model["object_name"]))
        return sorted(apps, key=lambda app: _place(APP_ORDER, app["app_label"]))


class ParlanceAdminConfig(admin_apps.AdminConfig):
    default_site = "meetings.apps.ParlanceAdminSite"
    default = False


def _place(order: tuple[str, ...], name: str) -> int:
    return order.index(name) if name in order else len(order)
