from __future__ import annotations

import numpy as np
import pytest

from inference.summarization.centrality import centralities, stretches, weigh
from tests.inference.summarization.talk import sentence

BUTTONS = ("Rubber buttons are cheap.", "The buttons need rubber.", "Cheap rubber breaks.", "Buttons cost little.")
MARKET = ("The market is abroad.", "Markets abroad grow.", "Abroad the market pays.", "Growing markets pay.")


def sentences(*texts: str) -> list:
    return [sentence(text, place=place) for place, text in enumerate(texts)]


def test_what_shares_words_with_all_is_most_central() -> None:
    said = sentences("Rubber is soft.", "Buttons are round.", "Rubber buttons are cheap.", "Zebras sleep.")
    ranks = centralities(weigh(said))
    assert int(np.argmax(ranks)) == 2
    assert ranks.sum() == pytest.approx(1.0)


def test_no_words_in_common_make_all_equal() -> None:
    assert centralities(weigh(sentences("Rubber.", "Zebras.", "Monday."))) == pytest.approx([1 / 3] * 3)


def test_sentences_without_content_can_be_weighed() -> None:
    assert centralities(weigh(sentences("It is.", "Yes."))) == pytest.approx([0.5, 0.5])


def test_a_stretch_ends_where_the_words_change() -> None:
    said = sentences(*BUTTONS, *MARKET)
    assert stretches(said, weigh(said), 2) == [range(4), range(4, 8)]


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_stretches_are_everything_in_order(count: int) -> None:
    said = sentences(*BUTTONS, *MARKET, *BUTTONS)
    parts = stretches(said, weigh(said), count)
    assert [place for part in parts for place in part] == list(range(len(said)))
    assert len(parts) <= count
