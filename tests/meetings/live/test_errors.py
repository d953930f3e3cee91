from __future__ import annotations

from django.utils import translation

from meetings.live.errors import SocketFault


def test_a_fault_speaks_the_language_of_the_interface() -> None:
    with translation.override("pt"):
        assert str(SocketFault("ended")) == "Esta reunião terminou."
    assert str(SocketFault("malformed", "It is not JSON.")) == "The message could not be understood. It is not JSON."
