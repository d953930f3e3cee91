"""The OpenID provider for the login page."""

from __future__ import annotations

from urllib.parse import urlsplit

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def openid_host() -> str:
    """Return the provider's host name; empty: no provider is configured."""
    client = settings.ENVIRONMENT.openid
    return urlsplit(client.issuer).hostname or "" if client else ""
