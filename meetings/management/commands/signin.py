"""`manage.py signin`: print a one-time sign-in link, for a missing or forgotten password."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError

from meetings.accounts.signin import one_time_link
from meetings.exit_codes import BAD_INPUT
from meetings.management.cli import ParlanceCommand
from meetings.management.commands.live import entrance
from meetings.management.commands.meeting import base_url


class Command(ParlanceCommand):
    help = "Prints a link that signs in once, within a quarter of an hour."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", metavar="NAME", help="default: the first administrator, made if there is none")

    def handle(self, *_: Any, user: str | None, **__: Any) -> None:
        account = None if user is None else find_account(user)
        self.stdout.write(one_time_link(entrance(settings.ENVIRONMENT, base_url()), account))


def find_account(name: str) -> User:
    """Return the active user of that name. Raises CommandError if there is none."""
    account = User.objects.filter(username=name, is_active=True).first()
    if account is None:
        raise CommandError(f"There is no account {name} that may sign in.", returncode=BAD_INPUT)
    return account
