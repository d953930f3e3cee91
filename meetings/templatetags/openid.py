"""Whether people can sign in by an OpenID provider, for the page that asks."""

from __future__ import annotations

from urllib.parse import urlsplit

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def openid_host() -> str:
    """The provider's name on the web; empty: there is none."""
    client = settings.ENVIRONMENT.openid
    return urlsplit(client.issuer).hostname or "" if client else ""
