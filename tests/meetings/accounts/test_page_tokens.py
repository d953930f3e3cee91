"""Links with a password or an end, sign-ins that end, and the sockets that were opened with them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
import redis.asyncio
from channels.testing import WebsocketCommunicator
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from meetings.accounts.link_tokens import Role, meeting_token, storage_key
from meetings.accounts.page_tokens import admits, reader_pass
from meetings.accounts.rights import READING
from meetings.live import consumers
from meetings.live.fanout import Broadcaster
from meetings.models import Caption, EndedSignIn, Meeting, Speaker, State
from meetings.store import recordings
from meetings.web import link_views
from tests.meetings.live import test_consumers
from tests.meetings.live.test_consumers import heard, refusal, socket

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
"""For sockets, which have database connections of their own."""

PASSWORD = "correct horse"
SOON_S = 15.0
"""Of a busy machine; far from `broadcast.ADMISSION_S`."""


@pytest.fixture(autouse=True)
def _own_broadcaster(monkeypatch: pytest.MonkeyPatch, broker: redis.asyncio.Redis) -> None:
    monkeypatch.setattr(consumers, "broadcaster", Broadcaster(lambda: broker))


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ana", password=PASSWORD)


@pytest.fixture
def meeting(owner: User) -> Meeting:
    return Meeting.objects.create(title="Budget", owner=owner)


@pytest.fixture
def host(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def page_token(client: Client, address: str, **query: str) -> str:
    """What a page opens its socket with."""
    found = re.search(r'data-token="([^"]+)"', client.get(address, query).content.decode())
    assert found is not None
    return found.group(1)


def pages_of(meeting: Meeting) -> list[str]:
    """Every page and file of a meeting that is got."""
    own = [f"/host/{meeting.pk}/", f"/host/{meeting.pk}/qr.svg"]
    return own + [f"/m/{meeting.pk}/{name}" for name in ("", "read/", "recording", "transcript.vtt", "transcript.docx")]


def addresses_in(page: str) -> list[str]:
    """What may end in an address bar, a history or a log: links, sources, targets and fields of forms."""
    return re.findall(r'\s(?:href|src|action|value)="([^"]*)"', page)


@pytest.fixture
def spoken(meeting: Meeting) -> Iterator[Meeting]:
    """The meeting, ended, with a line, a speaker and a recording: its pages have every link that they can have."""
    Speaker.objects.create(meeting=meeting, label="S1", seq=1)
    Caption.objects.create(
        meeting=meeting, segment="0", seq=2, start=0.0, end=2.0, language="en", text="Good morning.", speaker="S1"
    )
    Meeting.objects.update(state=State.ENDED, last_seq=1)
    meeting.refresh_from_db()
    path = recordings.flac_path(meeting.pk)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"fLaC and so on")
    yield meeting
    path.unlink()


def change_links(host: Client, meeting: Meeting, **choices: str) -> None:
    answer = host.post(f"/host/{meeting.pk}/links/", {"expiry": "as-it-is", **choices})
    assert (answer.status_code, answer["Location"]) == (302, f"/host/{meeting.pk}/links/")
    meeting.refresh_from_db()


def deactivate(user: User) -> None:
    user.is_active = False
    user.save()


def change_password(user: User) -> None:
    user.set_password("another horse")
    user.save()


def grant(user: User, *permissions: str) -> None:
    user.user_permissions.set(Permission.objects.filter(codename__in=[name.partition(".")[2] for name in permissions]))


async def settled(communicator: WebsocketCommunicator, role: Role) -> None:
    """Until the socket has joined, and was asked for the last time on its way in: what it is told comes after that."""
    asks = {
        "host": ({"type": "rename_speaker", "speaker": "S9", "name": "Ana"}, "unfit_correction"),
        "join": ({"type": "language", "language": "xx"}, "language_unavailable"),
    }
    message, code = asks[role]
    await communicator.send_to(text_data=json.dumps(message))
    assert (await heard(communicator, "error"))["code"] == code


async def closed(communicator: WebsocketCommunicator) -> int:
    """At once, and not at the next look of every minute."""
    async with asyncio.timeout(SOON_S):
        return await test_consumers.closed(communicator)


async def in_thread(function: Any, *arguments: Any, **named: Any) -> Any:
    return await asyncio.to_thread(function, *arguments, **named)


class TestSignIn:
    def test_a_pass_ends_with_its_sign_in(self, host: Client, meeting: Meeting) -> None:
        token = page_token(host, f"/host/{meeting.pk}/")
        assert token != meeting_token(meeting, "host")
        assert admits(meeting, "host", token)
        host.post("/logout/")
        assert not admits(meeting, "host", token)
        assert EndedSignIn.objects.count() == 1

    def test_a_pass_is_for_one_meeting_and_an_active_host(self, host: Client, owner: User, meeting: Meeting) -> None:
        token = page_token(host, f"/host/{meeting.pk}/")
        assert not admits(Meeting.objects.create(title="Board", owner=owner), "host", token)
        for change in ({"is_active": False}, {"password": make_password("another")}):
            before = User.objects.filter(pk=owner.pk).values(*change).get()
            User.objects.filter(pk=owner.pk).update(**change)
            assert not admits(meeting, "host", token)
            User.objects.filter(pk=owner.pk).update(**before)
        assert admits(meeting, "host", token)
        meeting.owner = None
        assert not admits(meeting, "host", token)

    @committed  # the recording's page runs as a coroutine, which has a connection of its own
    def test_a_pass_opens_no_page_and_is_exchanged_for_nothing(
        self, host: Client, client: Client, spoken: Meeting
    ) -> None:
        token = page_token(host, f"/host/{spoken.pk}/")
        assert admits(spoken, "host", token)
        for page in pages_of(spoken):
            answer = client.get(page, {"token": token})
            assert answer.status_code == 403, page
            for secret in (meeting_token(spoken, "host"), meeting_token(spoken, "join"), storage_key(spoken)):
                assert secret not in answer.content.decode()
        assert client.post(f"/m/{spoken.pk}/lines/0?token={token}", {"text": "Mine."}).status_code == 403
        assert client.post(f"/m/{spoken.pk}/speakers/S1?token={token}", {"name": "Eve"}).status_code == 403
        assert Caption.objects.get().text == "Good morning."

    @committed
    def test_pages_of_who_is_signed_in_hold_no_pass_in_an_address(self, host: Client, spoken: Meeting) -> None:
        for page in (f"/host/{spoken.pk}/", f"/m/{spoken.pk}/", f"/m/{spoken.pk}/read/"):
            addresses = addresses_in(host.get(page).content.decode())
            assert f"/m/{spoken.pk}/transcript.vtt" in addresses
            with_token = [address for address in addresses if "token=" in address or address.startswith(("h.", "r."))]
            assert [address for address in with_token if meeting_token(spoken, "join") not in address] == []
        assert f"/m/{spoken.pk}/read/" in addresses_in(host.get(f"/host/{spoken.pk}/").content.decode())
        assert f"/m/{spoken.pk}/recording" in addresses_in(host.get(f"/m/{spoken.pk}/read/").content.decode())
        assert [host.get(page).status_code for page in pages_of(spoken)] == [200] * 7

    @committed
    def test_who_came_by_a_link_goes_on_with_it(self, client: Client, spoken: Meeting) -> None:
        for role, page in (("host", "host"), ("join", "m"), ("host", "m"), ("join", "m")):
            token = meeting_token(spoken, role)  # type: ignore[arg-type]
            shown = client.get(f"/{page}/{spoken.pk}/", {"token": token}).content.decode()
            links = [address for address in addresses_in(shown) if address.startswith(f"/m/{spoken.pk}/")]
            assert links
            assert {address.partition("?")[2] for address in links} == {f"token={token}"}
            assert [client.get(link).status_code for link in links] == [200] * len(links)

    def test_the_pass_of_staff_is_worth_their_permissions(self, client: Client, meeting: Meeting) -> None:
        clerk = User.objects.create_user("clerk", is_staff=True)
        client.force_login(clerk)
        assert client.get(f"/m/{meeting.pk}/").status_code == 403
        grant(clerk, *READING)
        token = page_token(client, f"/m/{meeting.pk}/")
        assert token.startswith("h.")
        assert (admits(meeting, "join", token), admits(meeting, "host", token)) == (True, False)
        clerk.user_permissions.clear()
        assert not admits(meeting, "join", token)

    @pytest.mark.parametrize("digits", ["9" * 20, "9" * 5_000, "٣"], ids=["great", "long", "Arabic"])
    def test_no_number_breaks_a_page(self, client: Client, meeting: Meeting, digits: str) -> None:
        for token in (f"h.{digits}.x.1.y", f"h.1.x.{digits}.y", f"h.{digits}.{'0' * 32}.{digits}.{'0' * 64}"):
            assert client.get(f"/host/{meeting.pk}/", {"token": token}).status_code == 403
            assert not admits(meeting, "host", token)
            assert not admits(meeting, "join", token)

    @pytest.mark.parametrize("place", range(5))
    def test_a_changed_pass_opens_nothing(self, host: Client, meeting: Meeting, place: int) -> None:
        parts = page_token(host, f"/host/{meeting.pk}/").split(".")
        for other in ("", "0", "9" * 20, parts[place] + "0"):
            assert not admits(meeting, "host", ".".join([*parts[:place], other, *parts[place + 1 :]]))

    @committed
    async def test_signing_out_closes_the_hosts_socket(self, host: Client, meeting: Meeting) -> None:
        token = await in_thread(page_token, host, f"/host/{meeting.pk}/")
        async with socket(f"/ws/host/{meeting.pk}/?token={token}") as open_socket:
            await settled(open_socket, "host")
            await in_thread(host.post, "/logout/")
            assert (await heard(open_socket, "error"))["code"] == "bad_token"
            assert await closed(open_socket) == 4401
        assert await refusal(f"/ws/host/{meeting.pk}/?token={token}") == ("bad_token", 4401)

    @committed
    @pytest.mark.parametrize("change", ["deactivated", "deleted", "another password"])
    async def test_an_account_that_changes_has_its_sockets_closed(
        self, host: Client, owner: User, meeting: Meeting, change: str
    ) -> None:
        verbs = {"deactivated": deactivate, "deleted": User.delete, "another password": change_password}
        token = await in_thread(page_token, host, f"/host/{meeting.pk}/")
        async with socket(f"/ws/host/{meeting.pk}/?token={token}") as open_socket:
            await settled(open_socket, "host")
            await in_thread(verbs[change], owner)
            assert await closed(open_socket) == 4401

    @committed
    async def test_staff_who_lose_a_permission_have_their_sockets_closed(self, meeting: Meeting) -> None:
        client, clerk = Client(), await User.objects.acreate(username="clerk", is_staff=True)
        await in_thread(grant, clerk, *READING)
        await in_thread(client.force_login, clerk)
        token = await in_thread(page_token, client, f"/m/{meeting.pk}/")
        async with socket(f"/ws/captions/{meeting.pk}/?token={token}") as open_socket:
            await settled(open_socket, "join")
            await in_thread(clerk.user_permissions.clear)
            assert await closed(open_socket) == 4401

    @committed
    async def test_whoever_came_by_a_link_stays(self, host: Client, meeting: Meeting) -> None:
        await in_thread(host.get, f"/host/{meeting.pk}/")
        async with socket(f"/ws/captions/{meeting.pk}/?token={meeting_token(meeting, 'join')}") as viewer:
            await settled(viewer, "join")
            await in_thread(host.post, "/logout/")
            await settled(viewer, "join")


class TestPassword:
    def test_a_link_alone_opens_the_question_alone(self, host: Client, client: Client, meeting: Meeting) -> None:
        change_links(host, meeting, password=PASSWORD)
        assert PASSWORD not in meeting.link_password
        link = f"/m/{meeting.pk}/?token={meeting_token(meeting, 'join')}"
        assert "data-token" not in client.get(link).content.decode()
        assert client.get(f"/m/{meeting.pk}/transcript.txt?token={meeting_token(meeting, 'join')}").status_code == 403
        assert not admits(meeting, "join", meeting_token(meeting, "join"))
        refused = client.post(link, {"password": "wrong"})
        assert (refused.status_code, "That is not the password." in refused.content.decode()) == (403, True)

    def test_the_password_opens_page_files_and_socket(self, host: Client, client: Client, meeting: Meeting) -> None:
        change_links(host, meeting, password=PASSWORD)
        link = f"/m/{meeting.pk}/?token={meeting_token(meeting, 'join')}"
        answer = client.post(link, {"password": f" {PASSWORD}\n"})  # as it was copied
        assert (answer.status_code, answer["Location"]) == (302, link)
        cookie = answer.cookies[f"reader-{meeting.pk}"]
        assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (f"/m/{meeting.pk}/", True, "Lax")
        token = page_token(client, link)
        assert token == reader_pass(meeting)
        assert admits(meeting, "join", token)
        assert client.get(f"/m/{meeting.pk}/transcript.txt").status_code == 200
        change_links(host, meeting, password="another horse")
        assert not admits(meeting, "join", token)
        change_links(host, meeting, is_open="on")
        assert admits(meeting, "join", meeting_token(meeting, "join"))

    @committed
    def test_the_pass_of_a_reader_is_in_no_address_and_opens_no_page(
        self, host: Client, client: Client, spoken: Meeting
    ) -> None:
        change_links(host, spoken, password=PASSWORD)
        link = f"/m/{spoken.pk}/?token={meeting_token(spoken, 'join')}"
        client.post(link, {"password": PASSWORD})
        for page in (link, f"/m/{spoken.pk}/read/"):
            addresses = [address for address in addresses_in(client.get(page).content.decode()) if address != link]
            assert f"/m/{spoken.pk}/transcript.vtt" in addresses
            assert [address for address in addresses if "token" in address or address.startswith("r.")] == []
        reading = pages_of(spoken)[2:]
        assert [client.get(page).status_code for page in reading] == [200] * 5
        assert [Client().get(page, {"token": reader_pass(spoken)}).status_code for page in reading] == [403] * 5

    @pytest.mark.usefixtures("broker_sync")
    def test_guessing_is_bounded_for_an_address_and_locks_nobody_else(
        self, host: Client, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        change_links(host, meeting, password=PASSWORD)
        monkeypatch.setattr(link_views, "ATTACKED", 20)
        link = f"/m/{meeting.pk}/?token={meeting_token(meeting, 'join')}"

        def given(password: str, address: str) -> int:
            return Client(REMOTE_ADDR=address).post(link, {"password": password}).status_code

        assert [given("wrong", "10.0.0.1") for _ in range(12)] == [403] * 10 + [429] * 2
        assert given(PASSWORD, "10.0.0.1") == 429, "not even the right one"
        assert {given("wrong", f"10.0.1.{number}") for number in range(100)} == {403}
        assert [given("wrong", "10.0.0.2") for _ in range(3)] == [403, 403, 429], "slower, now that it is attacked"
        assert given(PASSWORD, "10.0.0.3") == 302, "and nobody is locked out by what others do"

    @pytest.mark.usefixtures("broker_sync")
    def test_right_passwords_count_for_nothing(self, host: Client, meeting: Meeting) -> None:
        change_links(host, meeting, password=PASSWORD)
        link = f"/m/{meeting.pk}/?token={meeting_token(meeting, 'join')}"
        assert {Client().post(link, {"password": PASSWORD}).status_code for _ in range(15)} == {302}

    @pytest.mark.usefixtures("broker_sync")
    def test_a_network_of_ipv6_is_one_address(self, host: Client, meeting: Meeting) -> None:
        change_links(host, meeting, password=PASSWORD)
        link = f"/m/{meeting.pk}/?token={meeting_token(meeting, 'join')}"
        clients = [Client(REMOTE_ADDR=f"2001:db8:0:1::{number:x}") for number in range(11)]
        assert [client.post(link, {"password": "x"}).status_code for client in clients] == [403] * 10 + [429]
        assert Client(REMOTE_ADDR="2001:db8:0:2::1").post(link, {"password": PASSWORD}).status_code == 302

    @committed
    async def test_a_new_password_sends_out_who_came_without(self, host: Client, meeting: Meeting) -> None:
        async with socket(f"/ws/captions/{meeting.pk}/?token={meeting_token(meeting, 'join')}") as viewer:
            await settled(viewer, "join")
            await in_thread(change_links, host, meeting, password=PASSWORD)
            assert await closed(viewer) == 4401


class TestEnd:
    def test_an_expired_link_opens_nothing(self, host: Client, client: Client, meeting: Meeting) -> None:
        change_links(host, meeting, expiry="1")
        assert meeting.links_expire_at is not None
        assert abs(meeting.links_expire_at - timezone.now() - timedelta(hours=1)) < timedelta(minutes=1)
        token = meeting_token(meeting, "join")
        assert admits(meeting, "join", token)
        Meeting.objects.update(links_expire_at=timezone.now())
        meeting.refresh_from_db()
        assert not admits(meeting, "join", token)
        assert client.get(f"/m/{meeting.pk}/?token={token}").status_code == 403
        assert admits(meeting, "join", page_token(host, f"/m/{meeting.pk}/")), "the host reads on"

    @committed
    async def test_sockets_are_asked_again_while_they_are_open(
        self, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("meetings.live.fanout.ADMISSION_S", 0.05)
        async with socket(f"/ws/captions/{meeting.pk}/?token={meeting_token(meeting, 'join')}") as viewer:
            await settled(viewer, "join")
            await Meeting.objects.aupdate(links_expire_at=timezone.now())
            assert await closed(viewer) == 4401

    @committed
    async def test_new_links_send_everybody_out(self, host: Client, meeting: Meeting) -> None:
        join, speak = meeting_token(meeting, "join"), meeting_token(meeting, "host")
        async with (
            socket(f"/ws/captions/{meeting.pk}/?token={join}") as viewer,
            socket(f"/ws/host/{meeting.pk}/?token={speak}") as speaker,
        ):
            await settled(viewer, "join")
            await settled(speaker, "host")
            await in_thread(change_links, host, meeting, is_renewed="on")
            assert (await closed(viewer), await closed(speaker)) == (4401, 4401)
        assert await refusal(f"/ws/captions/{meeting.pk}/?token={join}") == ("bad_token", 4401)

    @committed
    async def test_a_deleted_meeting_sends_everybody_out(self, host: Client, meeting: Meeting) -> None:
        async with socket(f"/ws/captions/{meeting.pk}/?token={meeting_token(meeting, 'join')}") as viewer:
            await settled(viewer, "join")
            await in_thread(host.post, f"/host/{meeting.pk}/delete/")
            assert await closed(viewer) == 4404


def test_only_who_is_signed_in_changes_links(client: Client, meeting: Meeting) -> None:
    token = meeting_token(meeting, "host")
    assert client.post(f"/host/{meeting.pk}/links/?token={token}", {"expiry": "never"})["Location"].startswith(
        "/login/"
    )
    client.force_login(User.objects.create_user("eve"))
    assert client.post(f"/host/{meeting.pk}/links/?token={token}", {"expiry": "never"}).status_code == 403
