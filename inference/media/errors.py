"""The reasons why a recording cannot be read, each with its message."""

from __future__ import annotations

from typing import ClassVar

from inference.media.protocol import MAX_CHANNELS, MAX_TRACKS, Failure, Reason

RATES = range(4_000, 384_001)
"""Accepted sample rates: below there is no speech, above it is not an audio recording."""


class UnreadableAudioError(ValueError):
    """The file is not a recording that the installed decoders know, has no audio, or exceeds a limit.

    The message is a sentence that names the file. A retry gives the same result.
    """

    reason: ClassVar[Reason] = Reason.UNREADABLE


class NoSound(UnreadableAudioError):
    """There is no audio track, or it is empty."""

    reason = Reason.NO_SOUND


class PlaylistRefused(UnreadableAudioError):
    """The file contains no audio of its own but refers to other files."""

    reason = Reason.PLAYLIST


class SampleRateRefused(UnreadableAudioError):
    """The sample rate is outside RATES."""

    reason = Reason.SAMPLE_RATE


class ChannelsRefused(UnreadableAudioError):
    """There are more than MAX_CHANNELS."""

    reason = Reason.CHANNELS


class TracksRefused(UnreadableAudioError):
    """There are more than MAX_TRACKS audio tracks."""

    reason = Reason.TRACKS


class NoSuchTrack(UnreadableAudioError):
    """The track that was asked for is not there."""

    reason = Reason.NO_TRACK


class FormatUntold(UnreadableAudioError):
    """The file has no header, and neither its name nor a person says what it holds."""

    reason = Reason.NO_HEADER


class TooLong(UnreadableAudioError):
    """The audio is longer than `Limits.longest_s`."""

    reason = Reason.TOO_LONG


class DecoderOutOfMemory(UnreadableAudioError):
    """Decoding takes more than `Limits.memory_bytes`."""

    reason = Reason.MEMORY


class DecoderOutOfTime(UnreadableAudioError):
    """Decoding takes more CPU time than its amount of audio allows."""

    reason = Reason.TIME


class DecoderFailed(UnreadableAudioError):
    """The decoder process failed. The cause may be the file or the machine; a retry may succeed."""


class DecoderCrashed(DecoderFailed):
    """The decoder ended before the file did, or sent invalid output."""

    reason = Reason.CRASHED


class DecoderHung(DecoderFailed):
    """The decoder was silent for longer than `Limits.stall_s`, or the total wait exceeded `Limits.wait_s`."""

    reason = Reason.HUNG


REASON_SENTENCES: dict[type[UnreadableAudioError], str] = {
    UnreadableAudioError: "{name} cannot be read as audio: {detail}",
    NoSound: "{name} holds no sound",
    PlaylistRefused: "{name} is a list of other files",
    SampleRateRefused: f"{{name}} has {{detail}} samples a second; {RATES[0]:,} to {RATES[-1]:,} can be read",
    ChannelsRefused: f"{{name}} has {{detail}} channels; up to {MAX_CHANNELS} can be read",
    TracksRefused: f"{{name}} has {{detail}} audio tracks; up to {MAX_TRACKS} can be read",
    NoSuchTrack: "{name} has no audio track {detail}",
    FormatUntold: "{name} has no header that says what it holds; name its format, such as mulaw or s16le@8000",
    TooLong: "{name} is longer than {detail} hours, the most that is allowed here",
    DecoderOutOfMemory: "{name} takes more memory to decode than a file may have",
    DecoderOutOfTime: "{name} takes longer to decode than so much sound may",
    DecoderCrashed: "{name} ended its decoder: {detail}",
    DecoderHung: "{name} keeps its decoder busy without an end",
}

BY_REASON = {kind.reason: kind for kind in REASON_SENTENCES}


def refusal(name: object, failure: Failure) -> UnreadableAudioError:
    """Return the exception for a failure that the decoder reports."""
    kind = BY_REASON[failure.reason]
    return kind(REASON_SENTENCES[kind].format(name=name, detail=failure.detail or "no decoder knows it"))
