"""Why a recording has no captions, for people."""

from __future__ import annotations

from django.utils.translation import gettext as _

from inference.speech.recorded_file import Sound


def why_nothing(sound: str) -> str:
    """Return the sentence for a recording without captions that holds `sound`; empty: not known."""
    match sound:
        case Sound.SILENCE:
            return _("Nothing is captioned: there is only digital silence in this recording.")
        case Sound.FAINT:
            return _("Nothing is captioned: this recording is nearly silent, and no speech was found in it.")
        case Sound.NO_SPEECH:
            return _("Nothing is captioned: no speech was found in this recording, only other sounds.")
        case Sound.SPEECH:
            return _(
                "Nothing is captioned: somebody may be speaking, but no words were understood. Is the language right?"
            )
    return ""
