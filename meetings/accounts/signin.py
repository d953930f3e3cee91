"""One-time sign-in links, so that the first start needs no password.

`manage.py live` prints one if no administrator can sign in yet, and `manage.py signin` on request.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

HOST_NAME = "host"
"""The user name in a fresh installation."""


class SignInTokenGenerator(PasswordResetTokenGenerator):
    """Tokens hash the last login, so the first use of a link ends it; `PASSWORD_RESET_TIMEOUT` limits its age.

    That setting is a quarter of an hour here, because printed links end up in scrollbacks and journals.
    """

    key_salt = "meetings.signin.SignInTokenGenerator"


sign_in_tokens = SignInTokenGenerator()


def one_time_link(base_url: str, user: User | None = None) -> str:
    """Return a link under `base_url`, which holds the base path, that signs the user in.

    The default is the first administrator, created (without a password) if there is none.
    """
    user = user or _administrator()
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return f"{base_url.rstrip('/')}/sign-in/{uid}/{sign_in_tokens.make_token(user)}/"


def can_anybody_sign_in() -> bool:
    """Return whether an administrator can sign in without a link: by password, valid session or OpenID provider."""
    openid = settings.ENVIRONMENT.openid
    if openid is not None and openid.admins:
        return True
    lasts_from = timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    return any(
        user.has_usable_password() or (user.last_login is not None and user.last_login > lasts_from)
        for user in User.objects.filter(is_superuser=True, is_active=True)
    )


def user_of_link(uid: str, token: str) -> User | None:
    """Return the user of a link; None: it was used, has expired or is forged."""
    users = get_user_model()
    try:
        user = users.objects.get(pk=urlsafe_base64_decode(uid).decode("ascii"), is_active=True)
    except (ValueError, OverflowError, users.DoesNotExist):
        return None
    return user if sign_in_tokens.check_token(user, token) else None


def _administrator() -> User:
    users = get_user_model()
    user = users.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    return user or users.objects.create_superuser(username=_free_name(), password=None)


def _free_name() -> str:
    """Return `host`, or `host-2`, … if a user without administrator's rights has that name."""
    taken = set(get_user_model().objects.filter(username__startswith=HOST_NAME).values_list("username", flat=True))
    return next(
        name for name in (HOST_NAME, *(f"{HOST_NAME}-{i}" for i in range(2, len(taken) + 3))) if name not in taken
    )
