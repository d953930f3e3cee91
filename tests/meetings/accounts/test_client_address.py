from __future__ import annotations

from dataclasses import replace

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from meetings.accounts.client_address import block, client_address
from meetings.web.middleware import trusted_proxies

OURS = ["127.0.0.1", "10.0.0.0/8", "::1"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # nobody whom we know: not believed
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # what the client itself wrote stands first
        ("127.0.0.1", "198.51.100.1, 10.1.2.3", "198.51.100.1"),  # two proxies of ours
        ("127.0.0.1", "198.51.100.1, <script>", "127.0.0.1"),
        ("", "198.51.100.1", ""),
        ("::ffff:203.0.113.9", "198.51.100.1", "203.0.113.9"),  # a server on :: names its IPv4 peers so
        ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.1.2.3", "6.6.6.6, ::ffff:198.51.100.1, ::ffff:127.0.0.1", "198.51.100.1"),
    ],
)
def test_only_our_proxies_are_believed(peer: str, forwarded: str, client: str) -> None:
    assert client_address(peer, forwarded, OURS) == client


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:0:1::7", "2001:db8:0:1::"),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::"),
        ("2001:db8:0:2::7", "2001:db8:0:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        ("", ""),
        ("<script>", ""),
    ],
)
def test_a_network_of_ipv6_counts_as_one_caller(address: str, counted: str) -> None:
    assert block(address) == counted


@pytest.mark.parametrize(
    ("peer", "scheme"), [("127.0.0.1", "https"), ("::ffff:127.0.0.1", "https"), ("203.0.113.9", None)]
)
def test_a_scheme_is_believed_of_them_alone(monkeypatch: pytest.MonkeyPatch, peer: str, scheme: str | None) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, proxies=OURS))
    seen = {}

    def page(request: HttpRequest) -> HttpResponse:
        seen.update(request.META)
        return HttpResponse()

    request = HttpRequest()
    request.META = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": "198.51.100.1", "HTTP_X_FORWARDED_PROTO": "https"}
    trusted_proxies(page)(request)
    assert seen.get("HTTP_X_FORWARDED_PROTO") == scheme
    assert seen["REMOTE_ADDR"] == ("198.51.100.1" if scheme else peer)
    assert "HTTP_X_FORWARDED_FOR" not in seen
