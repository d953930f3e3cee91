"""Why a recording cannot be read, each reason with its sentence."""

from __future__ import annotations

from typing import ClassVar

from inference.media.protocol import MAX_TRACKS, Failure, Reason

MAX_CHANNELS = 8
RATES = range(4_000, 384_001)
"""Samples a second that are accepted: below there is no speech, and above it is no recording of sound."""


class UnreadableAudioError(ValueError):
    """The file is no recording that the installed decoders know, or it holds no sound, or it is beyond a bound.

    Its text is a sentence that names the file. Trying again gives the same answer.
    """

    reason: ClassVar[Reason] = Reason.UNREADABLE


class NoSound(UnreadableAudioError):
    """There is no audio track, or nothing on it."""

    reason = Reason.NO_SOUND


class PlaylistRefused(UnreadableAudioError):
    """The file holds no sound of its own and names other files that do."""

    reason = Reason.PLAYLIST


class SampleRateRefused(UnreadableAudioError):
    """The sample rate is outside of RATES."""

    reason = Reason.SAMPLE_RATE


class ChannelsRefused(UnreadableAudioError):
    """There are more than MAX_CHANNELS."""

    reason = Reason.CHANNELS


class TracksRefused(UnreadableAudioError):
    """There are more than MAX_TRACKS audio tracks."""

    reason = Reason.TRACKS


class TooLong(UnreadableAudioError):
    """There is more sound than `Limits.longest_s`."""

    reason = Reason.TOO_LONG


class DecoderOutOfMemory(UnreadableAudioError):
    """Decoding it takes more than `Limits.memory_bytes`."""

    reason = Reason.MEMORY


class DecoderOutOfTime(UnreadableAudioError):
    """Decoding it takes more time on the processor than so much sound is worth."""

    reason = Reason.TIME


class DecoderFailed(UnreadableAudioError):
    """The decoder's process did not do its work. The file may be the cause, or the machine: another try may tell."""


class DecoderCrashed(DecoderFailed):
    """It ended before the file did, or said what nobody understands."""

    reason = Reason.CRASHED


class DecoderHung(DecoderFailed):
    """It said nothing for longer than `Limits.stall_s`, or was waited for longer than `Limits.wait_s` in all."""

    reason = Reason.HUNG


SENTENCES: dict[type[UnreadableAudioError], str] = {
    UnreadableAudioError: "{name} cannot be read as audio: {detail}",
    NoSound: "{name} holds no sound",
    PlaylistRefused: "{name} is a list of other files",
    SampleRateRefused: f"{{name}} has {{detail}} samples a second; {RATES[0]:,} to {RATES[-1]:,} can be read",
    ChannelsRefused: f"{{name}} has {{detail}} channels; up to {MAX_CHANNELS} can be read",
    TracksRefused: f"{{name}} has {{detail}} audio tracks; up to {MAX_TRACKS} can be read",
    TooLong: "{name} is longer than {detail} hours, the most that is allowed here",
    DecoderOutOfMemory: "{name} takes more memory to decode than a file may have",
    DecoderOutOfTime: "{name} takes longer to decode than so much sound may",
    DecoderCrashed: "{name} ended its decoder: {detail}",
    DecoderHung: "{name} keeps its decoder busy without an end",
}

BY_REASON = {kind.reason: kind for kind in SENTENCES}


def refusal(name: object, failure: Failure) -> UnreadableAudioError:
    """Return the error for what the decoder says of a file."""
    kind = BY_REASON[failure.reason]
    return kind(SENTENCES[kind].format(name=name, detail=failure.detail or "no decoder knows it"))
