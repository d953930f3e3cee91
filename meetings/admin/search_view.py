"""The admin's search page over everything that was said."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from meetings.accounts.rights import READING
from meetings.search.finding import find

RESULTS_SHOWN = 100


@never_cache
@require_GET
@permission_required(READING, raise_exception=True)
def search_page(request: HttpRequest) -> HttpResponse:
    """Show the best matches first, each with a link to its caption or summary."""
    query = request.GET.get("q", "").strip()
    hits = find(query, limit=RESULTS_SHOWN + 1)
    context = {
        **admin.site.each_context(request),
        "query": query,
        "hits": hits[:RESULTS_SHOWN],
        "are_more": len(hits) > RESULTS_SHOWN,
    }
    return render(request, "admin/search.html", context)
