"""A small stored meeting for the tests of files."""

from __future__ import annotations

from meetings.models import UNSURE, Caption, Meeting, Speaker, Translation


def weekly_meeting() -> Meeting:
    """Three captions of two speakers, of whom one turned out to be a third; the first is translated."""
    meeting = Meeting.objects.create(title="Weekly", language="en", last_seq=12)
    Speaker.objects.create(meeting=meeting, label="S1", name="Ana", seq=10)
    Speaker.objects.create(meeting=meeting, label="S2", seq=11)
    Speaker.objects.create(meeting=meeting, label="S3", merged_into="S1", seq=12)
    lines = ((1, 5.0, "second", "S2"), (2, 1.0, "first", "S3"), (3, 9.0, "", ""), (4, 7.0, "who?", UNSURE))
    for seq, start, text, speaker in (*lines, (5, 8.0, "now", "")):
        Caption.objects.create(
            meeting=meeting,
            segment=f"{start:06}",
            utterance=f"{start:06}",
            speaker=speaker,
            seq=seq,
            start=start,
            end=start + 1,
            language="en",
            text=text,
        )
    first = meeting.captions.get(text="first")
    Translation.objects.create(caption=first, language="pt", text="primeiro")
    return meeting
