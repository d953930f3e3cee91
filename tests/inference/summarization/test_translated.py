from __future__ import annotations

import pytest

from inference.summarization.summarizer import ExtractiveSummarizer
from inference.summarization.translated import translate_summary
from tests.inference.summarization.talk import BUDGET

SUMMARY = ExtractiveSummarizer().summarize(BUDGET, within_s=1.0)


def test_items_keep_their_kind_owner_and_captions() -> None:
    told = translate_summary(SUMMARY, "pt", lambda texts: [text.upper() for text in texts])
    assert [(i.kind, i.owner, i.segments) for i in told.items] == [(i.kind, i.owner, i.segments) for i in SUMMARY.items]
    assert [item.text for item in told.items] == [item.text.upper() for item in SUMMARY.items]
    assert told.text == SUMMARY.text.upper()
    assert told.language == "pt"


def test_the_same_language_needs_no_translator() -> None:
    assert translate_summary(SUMMARY, "en", lambda texts: pytest.fail("asked")) == SUMMARY


def test_a_text_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        translate_summary(SUMMARY, "pt", lambda texts: texts[1:])
