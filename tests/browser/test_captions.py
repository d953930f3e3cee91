"""The equation: who watched live = who reloaded = who came late, whatever was dropped, doubled or reordered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from tests.browser.scripted import Message, caption, partial

SETUP = """async () => {
    const { CaptionStore } = await import("/static/js/captions.js");
    const { SpeakerDirectory } = await import("/static/js/speakers.js");
    const { TranscriptView } = await import("/static/js/transcript-view.js");
    window.read = (messages) => {
        const store = new CaptionStore();
        const container = document.createElement("div");
        const view = new TranscriptView(container, store, new SpeakerDirectory());
        view.readIn("pt");
        for (const message of messages) {
            if (message.type === "caption") view.update(store.applyCaption(message), message);
            else if (store.applyPartial(message)) view.drawPartial();
        }
        store.forgetPartials();
        view.drawPartial();
        return { html: container.innerHTML, lastSeq: store.lastSeq };
    };
}"""

TEXTS = st.sampled_from(["Good morning.", "When is a lobster not a lobster?", "Yes.", "", "word " * 61])
SPEAKERS: list[dict[str, Any]] = [{"speaker": None}, {"speaker": "S1"}, {"speaker": "S2"}, {"unsure": True}]


@pytest.fixture
def reader(page: Page) -> Page:
    page.evaluate(SETUP)
    return page


def read(page: Page, messages: list[Message]) -> dict[str, Any]:
    return page.evaluate("(messages) => window.read(messages)", messages)


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """Every stored change of a meeting, in order: captions, and later revisions of some of them."""
    starts = draw(st.lists(st.integers(0, 40), min_size=1, max_size=8, unique=True))
    changes = [(start, 0) for start in starts]
    for start in draw(st.lists(st.sampled_from(starts), max_size=6)):
        changes.append((start, 1 + max(revision for other, revision in changes if other == start)))
    return [
        caption(
            start,
            draw(TEXTS),
            seq=seq,
            revision=revision,
            end=3.0 * start + draw(st.sampled_from([0.5, 3.0])),
            **draw(st.sampled_from(SPEAKERS)),
            language=draw(st.sampled_from(["en", "en", "ar"])),
            translation=draw(st.sampled_from([None, {"language": "pt", "text": "Bom dia."}])),
        )
        for seq, (start, revision) in enumerate(changes, start=1)
    ]


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Message], list[Message]]:
    """A history, and how it may reach a page that watched: mixed up, doubled, with moving text in between."""
    history = draw(histories())
    doubled = history + draw(st.lists(st.sampled_from(history), max_size=5))
    moving = [partial(number, "when is a") for number in draw(st.lists(st.integers(0, 40), max_size=4))]
    return history, draw(st.permutations(doubled + moving))


def present_form(history: list[Message]) -> list[Message]:
    """What the server sends to a newcomer: the newest form of each caption, by `seq`."""
    newest = {change["segment"]: change for change in history}
    return sorted(newest.values(), key=lambda change: change["seq"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(delivery=deliveries())
def test_watched_live_reads_like_joined_late(reader: Page, delivery: tuple[list[Message], list[Message]]) -> None:
    history, arrived = delivery
    assert read(reader, arrived) == read(reader, present_form(history))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(delivery=deliveries(), data=st.data())
def test_dropped_and_resynced_reads_like_joined_late(
    reader: Page, delivery: tuple[list[Message], list[Message]], data: st.DataObject
) -> None:
    """A cut loses the rest; on return the server sends what changed after the last `seq` that was seen in order."""
    history, _ = delivery
    kept = data.draw(st.integers(0, len(history)))
    seen = history[:kept]
    resent = [change for change in present_form(history) if change["seq"] > kept]
    assert read(reader, seen + resent) == read(reader, present_form(history))


def test_words_of_a_caption_are_read_in_the_order_of_speech(reader: Page) -> None:
    result = read(reader, [caption(3, "Three.", seq=1), caption(1, "One.", seq=2), caption(2, "Two.", seq=3)])
    assert result["lastSeq"] == 3
    assert [result["html"].index(word) for word in ("One.", "Two.", "Three.")] == sorted(
        result["html"].index(word) for word in ("One.", "Two.", "Three.")
    )


def test_beside_an_open_caption_only_the_words_after_it_move(reader: Page) -> None:
    def sealed(text: str, seq: int, **more: object) -> Message:
        return caption(1, text, seq=seq, revision=seq, **more)

    shown = """(messages) => {
        const store = window.store ??= new window.Store();
        for (const message of messages) {
            if (message.type === "caption") store.applyCaption(message);
            else store.applyPartial(message);
        }
        return [...store.ordered, ...store.moving].map(({ text }) => text).join(" | ");
    }"""
    reader.evaluate("""async () => { window.Store = (await import("/static/js/captions.js")).CaptionStore; }""")

    def moving(text: str, start: float) -> Message:
        return {**partial(1, text), "start": start}

    for messages, text in (
        ([moving("when is a", 3.0)], "when is a"),
        ([sealed("When is", 1, end=3.5, open=True)], "When is"),
        ([moving("a lobster", 3.5)], "When is | a lobster"),
        ([sealed("When is", 2, end=3.5, open=True)], "When is | a lobster"),
        ([sealed("When is a", 3, end=3.8, open=True)], "When is a"),
        ([moving("stale", 3.5), moving("lobster", 3.8)], "When is a | lobster"),
        ([sealed("When is a lobster?", 4, end=4.5)], "When is a lobster?"),
        ([moving("late", 4.5)], "When is a lobster?"),
    ):
        assert reader.evaluate(shown, messages) == text
