"""The admin's search page over everything that was said."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from meetings.accounts.rights import READING
from meetings.admin.speaker_names import names_of
from meetings.search.finding import find

RESULTS_SHOWN = 100


@never_cache
@require_GET
@permission_required(READING, raise_exception=True)
def search_page(request: HttpRequest) -> HttpResponse:
    """Show the best matches first, each with a link to its caption or summary."""
    query = request.GET.get("q", "").strip()
    hits = find(query, limit=RESULTS_SHOWN + 1)
    names = names_of(hit.caption for hit in hits if hit.caption)
    context = {
        **admin.site.each_context(request),
        "query": query,
        "hits": [(hit, names.get(hit.caption.pk) if hit.caption else None) for hit in hits[:RESULTS_SHOWN]],
        "are_more": len(hits) > RESULTS_SHOWN,
    }
    return render(request, "admin/search.html", context)
