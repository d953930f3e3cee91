"""Codes that open a meeting for viewers where its link cannot be scanned: short enough to be read out and typed.

A code is derived like the link's token, and ends with the link. The row holds a keyed digest of it, by which the
meeting is found; without the secret key nobody learns the code from the database or a backup.
"""

from __future__ import annotations

import hmac

from django.conf import settings
from django.utils.crypto import salted_hmac

from meetings.accounts.page_tokens import are_links_expired
from meetings.models import Meeting, State

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L and O, which look like digits, and no U."""

LENGTH = 9
"""Characters of 5 bits: 45 bits."""

GROUP = 3
LOOKALIKES = str.maketrans("ILO", "110", " -\u2010\u2011\u2012\u2013\u2014\u2212\t")
"""What people type in place of digits, and what they put between the groups: phones make dashes of hyphens."""


def is_open(meeting: Meeting) -> bool:
    """Return whether a code may open the meeting: it has not ended, nor has its link."""
    return meeting.state != State.ENDED and not are_links_expired(meeting)


def join_code(meeting: Meeting) -> str:
    """Return the code of an open meeting, such as `7KQ-4MZ-X2P`, and let it open the meeting from now on."""
    code = _code(meeting)
    digest = _digest(code)
    if meeting.code_digest != digest:
        meeting.code_digest = digest
        meeting.save(update_fields=("code_digest",))
    return "-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP))


def find_by_code(typed: str) -> Meeting | None:
    """Return the open meeting whose code was typed; None whatever is wrong.

    The digest only finds the row. The code is compared anew, because new links leave the digest of the old code there.
    If two meetings have one code, which takes millions of them, it opens neither.
    """
    code = typed[: 4 * LENGTH].upper().translate(LOOKALIKES)
    found = [
        meeting
        for meeting in Meeting.objects.filter(code_digest=_digest(code)).exclude(state=State.ENDED)[:2]
        if is_open(meeting) and hmac.compare_digest(_code(meeting).encode(), code.encode("utf-8", "replace"))
    ]
    return found[0] if len(found) == 1 else None


def _code(meeting: Meeting) -> str:
    value = f"{meeting.pk}:{meeting.link_generation}"
    digest = salted_hmac("meetings.codes", value, secret=settings.SECRET_KEY, algorithm="sha256").digest()
    number = int.from_bytes(digest)
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(LENGTH))


def _digest(code: str) -> str:
    salt = "meetings.codes.digest"
    return salted_hmac(salt, code, secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()[:32]
