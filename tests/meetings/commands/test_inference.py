from __future__ import annotations

from meetings.management.commands.inference import unique_name
from meetings.models import Swap


def test_two_containers_with_the_same_host_name_and_process_id_are_two_workers() -> None:
    names = {unique_name("box") for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith("box-") for name in names)


def test_a_long_name_fits_into_a_row() -> None:
    assert len(unique_name("x" * 200)) <= (Swap._meta.get_field("worker").max_length or 0)
