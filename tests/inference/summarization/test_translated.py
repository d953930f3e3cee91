from __future__ import annotations

import pytest

from inference.summarization.summarizer import ExtractiveSummarizer
from inference.summarization.summary import Summary
from inference.summarization.translated import translate_summary
from tests.inference.summarization.talk import BUDGET


@pytest.fixture(scope="module")
def summary() -> Summary:
    return ExtractiveSummarizer().summarize(BUDGET, within_s=1.0)


def test_items_keep_their_kind_owner_and_captions(summary: Summary) -> None:
    told = translate_summary(summary, "pt", lambda texts: [text.upper() for text in texts])
    assert [(i.kind, i.owner, i.segments) for i in told.items] == [(i.kind, i.owner, i.segments) for i in summary.items]
    assert [item.text for item in told.items] == [item.text.upper() for item in summary.items]
    assert told.text == summary.text.upper()
    assert told.language == "pt"


def test_the_same_language_needs_no_translator(summary: Summary) -> None:
    assert translate_summary(summary, "en", lambda texts: pytest.fail("asked")) == summary


def test_a_text_too_few_is_refused(summary: Summary) -> None:
    with pytest.raises(ValueError, match="zip"):
        translate_summary(summary, "pt", lambda texts: texts[1:])
