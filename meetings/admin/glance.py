"""The list of meetings, in a number of queries that does not grow with the list."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from meetings.models import Caption, Meeting, Speaker
from meetings.store.lag import lags


class MeetingList(ChangeList):
    """Adds the caption lag to the rows of one page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        behind = lags(self.result_list)
        for meeting in self.result_list:
            meeting.lag_s = behind.get(meeting.pk)


class LostFilter(admin.SimpleListFilter):
    """Meetings with missing audio."""

    title = gettext_lazy("lost audio")
    parameter_name = "lost"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("Some")), ("no", gettext_lazy("None"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Meeting]) -> QuerySet[Meeting]:
        conditions: dict[str | None, dict[str, float]] = {"yes": {"missing_s__gt": 0}, "no": {"missing_s": 0}}
        return queryset.filter(**conditions.get(self.value(), {}))


class OriginFilter(admin.SimpleListFilter):
    """Where the audio came from."""

    title = gettext_lazy("origin")
    parameter_name = "origin"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("microphone", gettext_lazy("Microphone")), ("upload", gettext_lazy("Recording"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Meeting]) -> QuerySet[Meeting]:
        conditions: dict[str | None, dict[str, Any]] = {
            "microphone": {"upload": None},
            "upload": {"upload__isnull": False},
        }
        return queryset.filter(**conditions.get(self.value(), {}))


def counted(meetings: QuerySet[Meeting]) -> QuerySet[Meeting]:
    """Annotate `captions_count` and `speakers_count`, each as a subquery, because joins would multiply them."""
    captions = Caption.objects.exclude(text="")
    speakers = Speaker.objects.filter(merged_into="")
    return meetings.annotate(captions_count=_count(captions), speakers_count=_count(speakers))


def _count(rows: QuerySet[Any]) -> Coalesce:
    of_meeting = rows.filter(meeting=OuterRef("pk")).order_by().values("meeting")
    return Coalesce(Subquery(of_meeting.annotate(count=Count("pk")).values("count")), 0)
