"""Find networks and tensors inside arbitrary objects."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

DEPTH = 6
"""Maximum depth of attributes and items to follow from a root."""

_DEAD_ENDS = (str, bytes, int, float, complex, bool, type, ModuleType, FunctionType, BuiltinFunctionType, type(None))


def reachable(roots: Iterable[object], is_wanted: Callable[[object], bool]) -> list[Any]:
    """Return each object reachable from `roots`, roots included, for which `is_wanted` is true, nearest first.

    Follows attributes and the items of lists, tuples, sets and dicts.
    """
    found: list[object] = []
    seen: set[int] = set()
    waiting = deque((root, 0) for root in roots)
    while waiting:
        item, depth = waiting.popleft()
        if id(item) in seen or isinstance(item, _DEAD_ENDS):
            continue
        seen.add(id(item))
        if is_wanted(item):
            found.append(item)
        if depth < DEPTH:
            waiting.extend((held, depth + 1) for held in _held(item))
    return found


def _held(item: object) -> Iterator[object]:
    if isinstance(item, Mapping):
        yield from item.values()
    elif isinstance(item, list | tuple | set | frozenset):
        yield from item
    else:
        yield from getattr(item, "__dict__", {}).values()
        yield from (getattr(item, name) for name in _slots(item) if hasattr(item, name))


def _slots(item: object) -> Iterator[str]:
    for kind in type(item).__mro__:
        slots = vars(kind).get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots
