"""The account page: API tokens and webhooks."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from meetings.accounts.access import private
from meetings.accounts.api_tokens import create_token
from meetings.models import ApiToken, Delivery, Webhook
from meetings.store.webhooks import MAX_WAITING_DELIVERIES, waiting
from meetings.web.account_forms import TokenForm, WebhookForm

SHOWN_DELIVERIES = 20


@login_required
@private
@require_http_methods(["GET", "POST"])
def account_page(request: HttpRequest) -> HttpResponseBase:
    """List both; a POST creates a token, which only this response shows."""
    form = TokenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        token = create_token(_user(request), form.cleaned_data["name"])
        return _page(request, new_token=token)
    return _page(request, token_form=form, status=422 if form.errors else 200)


@login_required
@require_POST
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponseBase:
    get_object_or_404(ApiToken, pk=token_id, user=_user(request)).delete()
    return redirect("account")


@login_required
@private
@require_POST
def add_webhook(request: HttpRequest) -> HttpResponseBase:
    """Store the address, and show its signing secret once."""
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=_user(request).pk)  # concurrent requests count in turn
        form = WebhookForm(request.POST, instance=Webhook(user=user))
        webhook = form.save() if form.is_valid() else None
    if webhook is None:
        return _page(request, webhook_form=form, status=422)
    return _page(request, new_webhook=webhook)


@login_required
@require_POST
def remove_webhook(request: HttpRequest, webhook_id: int) -> HttpResponseBase:
    get_object_or_404(Webhook, pk=webhook_id, user=_user(request)).delete()
    return redirect("account")


def _page(request: HttpRequest, *, status: int = 200, **shown: Any) -> HttpResponse:
    user = _user(request)
    context = {
        "tokens": user.api_tokens.all(),
        "webhooks": user.webhooks.all(),
        "deliveries": Delivery.objects.filter(webhook__user=user).select_related("webhook")[:SHOWN_DELIVERIES],
        "is_full": waiting(user.pk) >= MAX_WAITING_DELIVERIES,
        "token_form": TokenForm(),
        "webhook_form": WebhookForm(),
        **shown,
    }
    return render(request, "meetings/account.html", context, status=status)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
