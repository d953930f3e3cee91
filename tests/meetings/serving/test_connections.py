from __future__ import annotations

from meetings.serving.connections import Connections, ConnectionSlot


def enter(connections: Connections, address: str, times: int) -> list[ConnectionSlot]:
    """The places of those who got one."""
    places = (connections.enter(address) for _ in range(times))
    return [place for place in places if place is not None]


def test_connections_are_bounded_in_all() -> None:
    connections = Connections(most=4)
    assert len(enter(connections, "127.0.0.1", 3)) == 3
    places = enter(connections, "203.0.113.9", 2)
    assert len(places) == 1
    assert connections.enter("203.0.113.8") is None
    places[0].leave()
    places[0].leave()
    assert len(enter(connections, "203.0.113.8", 2)) == 1, "a place is given back once"


def test_connections_of_one_address_are_bounded() -> None:
    connections = Connections(most=10, most_of_one=2)
    places = enter(connections, "2001:db8::1", 1) + enter(connections, "2001:db8::2", 1)
    assert connections.enter("2001:db8::3") is None, "a network of one machine is one"
    assert len(enter(connections, "2001:db8:0:1::1", 3)) == 2
    places[0].leave()
    assert len(enter(connections, "2001:db8::3", 2)) == 1


def test_no_address_takes_more_than_half() -> None:
    assert len(enter(Connections(most=10), "203.0.113.9", 10)) == 5


def test_proxies_and_this_machine_speak_for_many() -> None:
    connections = Connections(most=10, most_of_one=1, proxies=["10.0.0.0/8"])
    assert len(enter(connections, "10.1.2.3", 4)) == 4
    assert len(enter(connections, "::1", 4)) == 4
    assert len(enter(connections, "203.0.113.9", 4)) == 1
