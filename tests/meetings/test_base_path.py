"""The base path: what it may be, and paths with and without it."""

from __future__ import annotations

from meetings.base_path import OWN_PATHS, read_base_path, without_base
from meetings.urls import urlpatterns


def test_a_slash_at_its_end_says_nothing() -> None:
    given = ("", "/", "/captions", "/captions/", "/a/b-c.d")
    assert [read_base_path(value) for value in given] == ["", "", "/captions", "/captions", "/a/b-c.d"]


def test_paths_with_and_without_it_are_the_same() -> None:
    paths = ("/m/x/", "/captions/m/x/", "/captions", "/captionsx/", "/")
    assert [without_base(path, "/captions") for path in paths] == ["/m/x/", "/m/x/", "/", "/captionsx/", "/"]
    assert without_base("/m/x/", "") == "/m/x/"


def test_every_path_of_ours_is_known() -> None:
    ours = {first for pattern in _patterns(urlpatterns) if (first := pattern.partition("/")[0])}
    assert ours | {"static", "ws"} == set(OWN_PATHS)


def _patterns(patterns: list[object]) -> list[str]:
    found: list[str] = []
    for entry in patterns:
        prefix = str(entry.pattern)
        inner = getattr(entry, "url_patterns", None)
        found += [prefix] if prefix or inner is None else _patterns(inner)
    return found
