"""What an object holds is found, once, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from inference.models.object_graph import DEPTH, reachable


@dataclass(slots=True)
class Slotted:
    inner: object


class Holder:
    def __init__(self, **attributes: object) -> None:
        vars(self).update(attributes)


def is_dict_with_mark(item: object) -> bool:
    return isinstance(item, dict) and "mark" in item


def test_attributes_slots_and_items_are_followed() -> None:
    marks = [{"mark": place} for place in range(4)]
    root = Holder(a=marks[0], b=Slotted([marks[1]]), c={"key": (marks[2], {"x": marks[3]})})
    assert sorted(found["mark"] for found in reachable([root], is_dict_with_mark)) == [0, 1, 2, 3]


def test_each_is_found_once_even_in_a_circle() -> None:
    mark: dict[str, Any] = {"mark": 1}
    mark["self"] = mark
    root = Holder(a=mark, b=mark)
    root.c = root  # type: ignore[attr-defined]
    assert reachable([root, mark], is_dict_with_mark) == [mark]


def test_the_search_ends_at_its_depth() -> None:
    near: object = {"mark": "near"}
    for _ in range(DEPTH):
        near = [near]
    assert len(reachable([near], is_dict_with_mark)) == 1
    assert reachable([[near]], is_dict_with_mark) == []


def test_the_root_itself_counts_and_strings_hold_nothing() -> None:
    assert reachable(["mark", {"mark": 1}], lambda item: isinstance(item, str)) == []
    assert len(reachable([{"mark": 1}], is_dict_with_mark)) == 1
