"""What a second pass changes in the rows, and what it leaves alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from inference.speech.second_pass import Piece
from inference.types import FinalCaption, Word
from meetings.models import Caption, Meeting, SecondPass, SecondPassState, State, Summary, Translation
from meetings.store import corrections, recordings, second_passes, transcript, upload_files
from meetings.store.transcript import take_lease

WORD_S = 0.25


@pytest.fixture(autouse=True)
def is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_passes, "is_on", lambda: True)


def spoken(text: str, start: float) -> tuple[Word, ...]:
    return tuple(
        Word(start + index * WORD_S, start + (index + 1) * WORD_S, word, 0.9) for index, word in enumerate(text.split())
    )


def ended(*texts: str, **fields: object) -> Meeting:
    """A meeting with one caption every two seconds, and a second pass that is wanted."""
    meeting = Meeting.objects.create(title="Budget", **fields)
    lease = transcript.Lease(meeting.pk, take_lease(meeting.pk).lease_epoch)
    finals = []
    for index, text in enumerate(texts):
        words = spoken(text, 2.0 * index)
        finals.append(FinalCaption(f"{index * 32000:012d}", words[0].start, words[-1].end, text, "en", words))
    transcript.commit(lease, finals, None)
    transcript.set_state(lease, State.ENDED)
    assert second_passes.want(meeting.pk)
    return meeting


def claimed() -> second_passes.Claim:
    claim = second_passes.claim()
    assert claim is not None
    return claim


def read(*texts: str) -> list[Piece]:
    words = [word for index, text in enumerate(texts) for word in spoken(text, 2.0 * index)]
    return [Piece(0.0, 60.0, "en", tuple(words))]


def stored(meeting: Meeting) -> dict[str, str]:
    return dict(Caption.objects.filter(meeting=meeting).order_by("segment").values_list("segment", "text"))


@pytest.mark.django_db
class TestRevise:
    def test_captions_keep_their_ids_and_speakers_and_get_a_revision_only_where_the_text_changes(self) -> None:
        meeting = ended("we met at the duck", "at noon")
        Caption.objects.filter(meeting=meeting).update(speaker="S1")
        seq = second_passes.revise(claimed(), read("we met at the dock", "at noon", "good bye"))
        assert stored(meeting) == {
            "000000000000": "we met at the dock",
            "000000032000": "at noon",
            "000000064000": "good bye",
        }
        rows = Caption.objects.filter(meeting=meeting).order_by("segment")
        assert list(rows.values_list("revision", "speaker")) == [(1, "S1"), (0, "S1"), (0, "?")]
        assert seq == Meeting.objects.get(pk=meeting.pk).last_seq == 4

    def test_what_a_person_corrected_stays(self) -> None:
        meeting = ended("we met at the duck", "at noon", "good buy")
        corrections.correct_text(meeting.pk, "000000000000", "We met.", editor_id=None)
        corrections.correct_translation(meeting.pk, "000000032000", "pt", "ao meio-dia", editor_id=None)
        second_passes.revise(claimed(), read("we met at the dock", "a noon", "good bye"))
        assert list(stored(meeting).values()) == ["We met.", "at noon", "good bye"]
        assert Translation.objects.get(caption__meeting=meeting).text == "ao meio-dia"

    def test_a_caption_that_reaches_further_waits_for_the_next_piece(self) -> None:
        meeting = ended("we met at the duck")
        claim = claimed()
        first, second = Piece(0.0, 0.6, "en", spoken("we met", 0.0)), Piece(0.6, 9.0, "en", spoken("at the dock", 0.5))
        assert second_passes.revise(claim, [first]) is None
        assert SecondPass.objects.get().position == 0
        assert second_passes.revise(claim, [first, second]) is not None
        assert (stored(meeting)["000000000000"], SecondPass.objects.get().position) == ("we met at the dock", 144_000)

    def test_a_worker_that_lost_it_stores_nothing(self) -> None:
        meeting = ended("we met at the duck")
        late = claimed()
        SecondPass.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        assert claimed().epoch == late.epoch + 1
        for write in (lambda: second_passes.revise(late, read("no")), lambda: second_passes.finish(late)):
            with pytest.raises(second_passes.ClaimLost):
                write()
        assert list(stored(meeting).values()) == ["we met at the duck"]


words = st.lists(st.sampled_from(("we", "met", "at", "the", "dock", "duck")), min_size=1, max_size=6).map(" ".join)


class TestAnything(TestCase):
    @given(st.lists(words, min_size=1, max_size=4), st.lists(words, min_size=1, max_size=5), st.integers(0, 3))
    def test_ids_corrections_and_citations_survive(self, first: list[str], second: list[str], corrected: int) -> None:
        meeting = ended(*first)
        segments = list(stored(meeting))
        fixed = segments[min(corrected, len(segments) - 1)]
        corrections.correct_text(meeting.pk, fixed, "As it was.", editor_id=None)
        Summary.objects.create(
            meeting=meeting, seq=1_000, from_s=0, to_s=9, language="en", items=[{"segments": segments}]
        )
        second_passes.revise(claimed(), read(*second), is_last=True)
        after = stored(meeting)
        assert set(segments) <= set(after)
        assert after[fixed] == "As it was."
        assert set(Summary.objects.get(meeting=meeting).items[0]["segments"]) <= set(after)
        seqs = list(Caption.objects.filter(meeting=meeting).values_list("seq", flat=True))
        assert len(set(seqs)) == len(seqs)

    def setUp(self) -> None:
        patch = pytest.MonkeyPatch()
        patch.setattr(second_passes, "is_on", lambda: True)
        self.addCleanup(patch.undo)


@pytest.mark.django_db
class TestClaims:
    def test_the_one_that_has_waited_longest_comes_first_and_is_read_by_one_worker(self) -> None:
        first, second = ended("one"), ended("two")
        assert [claimed().meeting_id, claimed().meeting_id] == [first.pk, second.pk]
        assert second_passes.claim() is None

    def test_three_attempts_without_progress_are_the_last(self) -> None:
        meeting = ended("one")
        for _ in range(second_passes.MAX_SECOND_PASS_ATTEMPTS):
            second_passes.release(claimed(), error="ValueError")
            SecondPass.objects.update(not_before=None)
        assert second_passes.claim() is None
        row = SecondPass.objects.get()
        assert (row.state, row.error) == (SecondPassState.FAILED, "ValueError")
        assert "could not be read again" in second_passes.sentence(Meeting.objects.get(pk=meeting.pk))

    def test_so_are_three_deaths_but_not_three_stops(self) -> None:
        ended("one")
        for _ in range(4):
            second_passes.release(claimed())
        for _ in range(second_passes.MAX_SECOND_PASS_ATTEMPTS):
            claimed()
            SecondPass.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        assert second_passes.claim() is None
        assert SecondPass.objects.get().state == SecondPassState.FAILED


@pytest.mark.django_db
class TestSound:
    def test_it_is_deleted_when_it_was_kept_for_this_alone(self) -> None:
        kept, lent = ended("one", keep_recording=True), ended("two", is_read_again=True)
        for meeting in (kept, lent):
            recordings.flac_path(meeting.pk).parent.mkdir(parents=True, exist_ok=True)
            recordings.flac_path(meeting.pk).touch()
            upload_files.create(meeting.pk)
        second_passes.let_sounds_go()
        assert [second_passes.source(meeting.pk) is None for meeting in (kept, lent)] == [False, False]
        second_passes.finish(claimed())
        SecondPass.objects.filter(pk=lent.pk).update(created_at=timezone.now() - timedelta(days=8))
        second_passes.let_sounds_go()
        assert recordings.flac_path(kept.pk).exists()
        assert not upload_files.path(kept.pk).exists()
        assert second_passes.source(lent.pk) is None
        assert SecondPass.objects.get(pk=lent.pk).state == SecondPassState.FAILED
        recordings.delete(kept.pk)

    def test_a_meeting_without_words_is_not_read_again_and_keeps_no_sound(self) -> None:
        meeting = Meeting.objects.create(title="Silence", is_read_again=True, state=State.ENDED)
        recordings.flac_path(meeting.pk).parent.mkdir(parents=True, exist_ok=True)
        recordings.flac_path(meeting.pk).touch()
        second_passes.want_after_end(meeting.pk)
        assert not SecondPass.objects.exists()
        assert not recordings.flac_path(meeting.pk).exists()

    def test_people_are_told(self) -> None:
        meeting = ended("one")
        assert "is being read again" in second_passes.sentence(Meeting.objects.get(pk=meeting.pk))
        second_passes.finish(claimed())
        assert "has been read again" in second_passes.sentence(Meeting.objects.get(pk=meeting.pk))
        SecondPass.objects.all().delete()
        assert "no second reading" in second_passes.sentence(Meeting.objects.get(pk=meeting.pk))
