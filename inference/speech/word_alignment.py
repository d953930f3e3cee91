"""Align the words of two readings of the same audio: equal words nearby are pairs, and so is one for another."""

from __future__ import annotations

from collections.abc import Sequence

from inference.types import Word

FARTHEST_S = 1.0
"""Words whose times are further apart are no pair, however alike."""

REPLACED = 1.2
"""Cost of a pair of different words; two words that have no pair cost 2."""

NO_PAIR = 1.0


def word_key(word: Word) -> str:
    """Return what is compared: the letters and digits, whatever their case."""
    return "".join(sign for sign in word.text.casefold() if sign.isalnum()) or word.text


def paired_words(first: Sequence[Word], second: Sequence[Word]) -> list[tuple[int | None, int | None]]:
    """Return pairs of indices in the order of both; None: a word without a pair."""
    keys = [word_key(word) for word in first], [word_key(word) for word in second]
    costs = [[NO_PAIR * column for column in range(len(second) + 1)]]
    for row, word in enumerate(first, 1):
        above, line = costs[-1], [NO_PAIR * row]
        for column, other in enumerate(second, 1):
            pair = above[column - 1] + _cost(word, other, is_same=keys[0][row - 1] == keys[1][column - 1])
            line.append(min(pair, above[column] + NO_PAIR, line[-1] + NO_PAIR))
        costs.append(line)
    return _way(costs)


def _cost(word: Word, other: Word, *, is_same: bool) -> float:
    apart = max(word.start, other.start) - min(word.end, other.end)
    if apart > FARTHEST_S:
        return 2 * NO_PAIR
    return (0.0 if is_same else REPLACED) + 0.01 * max(0.0, apart)


def _way(costs: Sequence[Sequence[float]]) -> list[tuple[int | None, int | None]]:
    """Return the cheapest way through the table, from its end."""
    row, column = len(costs) - 1, len(costs[0]) - 1
    pairs: list[tuple[int | None, int | None]] = []
    while row or column:
        here = costs[row][column]
        if row and here == costs[row - 1][column] + NO_PAIR:
            row -= 1
            pairs.append((row, None))
        elif column and here == costs[row][column - 1] + NO_PAIR:
            column -= 1
            pairs.append((None, column))
        else:
            row, column = row - 1, column - 1
            pairs.append((row, column))
    return pairs[::-1]
