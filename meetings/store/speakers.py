"""The speakers of a meeting: labels from the models, and corrections by the host.

The host's corrections win: a renamed speaker keeps the name, merged speakers stay merged, and no model relabels a line
that the host assigned.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from itertools import accumulate

from django.db.models import Q

from inference.diarization.turns import SpeakerTurn, SpeakerTurns
from inference.diarization.word_assignment import SpeakerSegment, label_words
from inference.text import join_texts
from inference.types import Word
from meetings.models import MAX_SPEAKER_NAME, UNSURE, Caption, Meeting, Speaker
from meetings.store.transcript import (
    Lease,
    changing,
    corrected_captions,
    parts_of_all,
    save_revision,
    words_as_stored,
    words_of,
)

WHOLE = 1e-6
"""Seconds by which a caption may exceed the diarized range, for rounding."""


MERGED_AT_ONCE = 200
"""Lines in one statement, within the databases' limits on its length."""


class NoSuchSpeaker(LookupError):
    """The meeting has no speaker with that label."""


class NoSuchCaption(LookupError):
    """The meeting has no caption with that segment id."""


class UnfitName(ValueError):
    """The name cannot be displayed."""


def utterances_of(meeting_id: str, known: SpeakerTurns) -> list[str]:
    """Return the utterances that overlap `known` or are unlabelled, in spoken order, for `label_captions`."""
    is_news = Q(end__gt=known.start) | Q(speaker="")
    rows = Caption.objects.filter(is_news, meeting_id=meeting_id, start__lt=known.end).exclude(text="")
    return list(dict.fromkeys(rows.order_by("start").values_list("utterance", flat=True)))


def label_captions(lease: Lease, known: SpeakerTurns, utterances: Collection[str] | None = None) -> int:
    """Label the utterances between `known.start` and `known.end`, and earlier ones that are still unlabelled.

    `known.turns` are all turns so far. An utterance is divided where the speaker changes; one that reaches beyond
    `known.end` waits for the next call. `utterances`: those of `utterances_of` to do in this transaction; None: all.
    Returns the meeting's newest `seq`. The number of queries for reading does not depend on their number.

    Raises:
        LeaseLost: a newer worker owns the meeting; nothing was stored.
    """
    with changing(lease.meeting_id, lease=lease) as meeting:
        labels = _Labels(meeting)
        turns = TurnIndex(known.turns)
        found = utterances_of(meeting.pk, known) if utterances is None else utterances
        parts_by_utterance = parts_of_all(meeting, found)
        corrected = corrected_captions(part.pk for parts in parts_by_utterance.values() for part in parts)
        for parts in parts_by_utterance.values():
            if max((part.end for part in parts if part.text), default=known.end) <= known.end + WHOLE:
                is_corrected = any(part.is_text_fixed or part.pk in corrected for part in parts)
                _label(labels, parts, turns.near(parts[0].start, parts[-1].end), is_corrected=is_corrected)
    return meeting.last_seq


def rename(meeting_id: str, label: str, name: str) -> int:
    """Rename a speaker, or restore the number with an empty name; return the newest `seq`.

    Raises:
        NoSuchSpeaker, UnfitName, NoSuchMeeting: nothing was stored.
    """
    name = fit_name(name)
    with changing(meeting_id) as meeting:
        speaker = _speaker(meeting, label)
        if speaker.name != name:
            meeting.last_seq += 1
            Speaker.objects.filter(pk=speaker.pk).update(name=name, seq=meeting.last_seq)
    return meeting.last_seq


def fit_name(name: str) -> str:
    """Return the name as it is stored. Raises UnfitName."""
    name = " ".join(name.split())
    if len(name) > MAX_SPEAKER_NAME or not name.isprintable():
        raise UnfitName(f"A name has at most {MAX_SPEAKER_NAME} characters, all of them visible.")
    return name


def merge_speakers(meeting_id: str, label: str, into: str) -> int:
    """Merge speaker `label` into `into`, for past and future lines; return the newest `seq`.

    Raises:
        NoSuchSpeaker, NoSuchMeeting: nothing was stored.
    """
    with changing(meeting_id) as meeting:
        leaving, staying = _speaker(meeting, label), _speaker(meeting, into)
        if leaving.label == staying.label:
            return meeting.last_seq
        for speaker in Speaker.objects.filter(meeting=meeting, merged_into=leaving.label) | Speaker.objects.filter(
            pk=leaving.pk
        ):
            meeting.last_seq += 1
            Speaker.objects.filter(pk=speaker.pk).update(merged_into=staying.label, seq=meeting.last_seq)
        lines = list(Caption.objects.filter(meeting=meeting, speaker=leaving.label))
        for line in lines:
            meeting.last_seq += 1
            line.speaker, line.seq, line.revision = staying.label, meeting.last_seq, line.revision + 1
        Caption.objects.bulk_update(lines, ("speaker", "seq", "revision"), batch_size=MERGED_AT_ONCE)
    return meeting.last_seq


def assign(meeting_id: str, segment: str, label: str) -> int:
    """Assign one line to a speaker permanently; return the newest `seq`.

    Raises:
        NoSuchSpeaker, NoSuchCaption, NoSuchMeeting: nothing was stored.
    """
    with changing(meeting_id) as meeting:
        speaker = _speaker(meeting, label)
        caption = Caption.objects.filter(meeting=meeting, segment=segment).exclude(text="").first()
        if caption is None:
            raise NoSuchCaption(f"There is no line {segment}.")
        save_revision(meeting, caption, speaker=speaker.label, is_speaker_fixed=True)
    return meeting.last_seq


def expect_speakers(meeting_id: str, count: int | None) -> None:
    """Store how many people speak, as the host says; None: detect it."""
    Meeting.objects.filter(pk=meeting_id).update(expected_speakers=count)


def present_speakers(meeting: Meeting) -> list[Speaker]:
    """Return the meeting's speakers by number, without merged ones."""
    return sorted(Speaker.objects.filter(meeting=meeting, merged_into=""), key=lambda speaker: speaker.number)


def highest_number(meeting: Meeting) -> int:
    """Return the highest speaker number so far, counted from 1; 0: no speakers."""
    return max((speaker.number for speaker in Speaker.objects.filter(meeting=meeting)), default=0)


def labelled_since(meeting: Meeting, start: float) -> list[SpeakerTurn]:
    """Return the labelled captions that end after `start`, as turns by which a new worker knows the voices again."""
    rows = Caption.objects.filter(meeting=meeting, end__gt=start).exclude(speaker__in=("", UNSURE)).exclude(text="")
    return [SpeakerTurn(caption.start, caption.end, caption.speaker) for caption in rows.order_by("start")]


class _Labels:
    """A meeting's speakers during labelling: merges are followed, and new speakers are stored at first use."""

    def __init__(self, meeting: Meeting) -> None:
        self.meeting = meeting
        self._present = {
            speaker.label: speaker.merged_into or speaker.label for speaker in Speaker.objects.filter(meeting=meeting)
        }

    def stored(self, label: str | None) -> str:
        """Return the label as a caption stores it; None: unsure."""
        if label is None:
            return UNSURE
        if label not in self._present:
            self.meeting.last_seq += 1
            Speaker.objects.create(meeting=self.meeting, label=label, seq=self.meeting.last_seq)
            self._present[label] = label
        return self._present[label]


def _speaker(meeting: Meeting, label: str) -> Speaker:
    """Return the speaker that `label` stands for. Raises NoSuchSpeaker."""
    speakers = {speaker.label: speaker for speaker in Speaker.objects.filter(meeting=meeting)}
    if label not in speakers:
        raise NoSuchSpeaker(f"There is no speaker {label}.")
    return speakers[speakers[label].merged_into or label]


class TurnIndex:
    """Speaker turns indexed by time, so that a lookup does not scan all of them."""

    def __init__(self, turns: Sequence[SpeakerTurn]) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.start)
        self._starts = [turn.start for turn in self._turns]
        self._latest_ends = list(accumulate((turn.end for turn in self._turns), max))

    def near(self, start: float, end: float) -> list[SpeakerTurn]:
        """Return the turns that overlap the seconds from `start` to `end`, in order."""
        first = bisect_right(self._latest_ends, start)
        last = bisect_left(self._starts, end)
        return [turn for turn in self._turns[first:last] if turn.end > start]


def _label(labels: _Labels, parts: Sequence[Caption], near: Sequence[SpeakerTurn], *, is_corrected: bool) -> None:
    if any(part.is_speaker_fixed for part in parts) or is_corrected:
        for part in parts:
            if part.text and not part.is_speaker_fixed:
                save_revision(labels.meeting, part, speaker=labels.stored(_main_speaker(part, near)))
        return
    runs = label_words(words_of(parts), near)
    if runs and parts[0].is_open:
        _label_open(labels, parts[0], runs[0].speaker)
    elif runs:
        _divide(labels, parts, runs)


def _label_open(labels: _Labels, caption: Caption, speaker: str | None) -> None:
    """Name who began to speak. The caption is divided, and an unknown speaker shown, when it is complete."""
    if speaker is not None:
        save_revision(labels.meeting, caption, speaker=labels.stored(speaker))


def _main_speaker(part: Caption, turns: Sequence[SpeakerTurn]) -> str | None:
    """Return who said most of its words."""
    runs = label_words(words_of([part]), turns)
    return max(runs, key=lambda run: len(run.words)).speaker if runs else None


def _divide(labels: _Labels, parts: Sequence[Caption], runs: Sequence[SpeakerSegment]) -> None:
    """Store an utterance as one caption for each run; leftover captions become empty.

    Last caption first: screens apply change by change, and words that move to a new caption must appear there before
    they leave the old one.
    """
    first = parts[0]
    texts = divided_text(join_texts([part.text for part in parts], first.language), runs, first.language)
    speakers = [labels.stored(run.speaker) for run in runs]  # numbered in speaking order
    for index in reversed(range(len(runs))):
        run = runs[index]
        save_revision(
            labels.meeting,
            parts[index] if index < len(parts) else None,
            segment=first.utterance if index == 0 else f"{first.utterance}.{index}",
            utterance=first.utterance,
            speaker=speakers[index],
            start=run.words[0].start,
            end=run.words[-1].end,
            language=first.language,
            text=texts[index],
            words=words_as_stored(run.words),
        )
    for leftover in parts[len(runs) :]:
        save_revision(labels.meeting, leftover, text="", words=[], speaker="")


def divided_text(text: str, runs: Sequence[SpeakerSegment], language: str) -> list[str]:
    """Return `text` cut where the runs after the first begin, so that its spelling and punctuation are kept."""
    cuts = [0]
    place = 0
    for index, run in enumerate(runs):
        if index:
            cuts.append(_find(text, run.words[0], place))
        for word in run.words:
            place = _find(text, word, place) + len(word.text)
    if len(set(cuts)) < len(runs) or cuts != sorted(cuts):  # the words do not match the text
        return [join_texts([word.text for word in run.words], language) for run in runs]
    return [text[start:end].strip() for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _find(text: str, word: Word, place: int) -> int:
    found = text.find(word.text, place)
    return place if found < 0 else found
