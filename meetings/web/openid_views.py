"""Views of the OpenID login: redirect to the provider, and its callback."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from meetings.accounts.openid import setting
from meetings.accounts.openid_provider import ProviderAway


class SignInView(OIDCAuthenticationRequestView):
    get_settings = staticmethod(setting)


class CallbackView(OIDCAuthenticationCallbackView):
    get_settings = staticmethod(setting)

    @property
    def failure_url(self) -> str:
        return f"{reverse('login')}?openid=refused"

    @property
    def success_url(self) -> str:
        return self.request.session.get("oidc_login_next") or reverse(settings.LOGIN_REDIRECT_URL)


@never_cache
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Redirect the browser to the provider."""
    return _with_provider(request, SignInView)


@never_cache
def callback(request: HttpRequest) -> HttpResponseBase:
    """Handle the redirect back from the provider."""
    return _with_provider(request, CallbackView)


def _with_provider(request: HttpRequest, view: type[SignInView | CallbackView]) -> HttpResponseBase:
    if settings.ENVIRONMENT.openid is None:
        raise Http404
    try:
        answer: HttpResponseBase = view.as_view()(request)
    except ProviderAway:
        return redirect(f"{reverse('login')}?openid=away")
    return answer
