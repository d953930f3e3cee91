"""Links with a password or an end, sign-ins that end, and the sockets that were opened with them."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
import redis
import redis.asyncio
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from meetings.accounts import link_views
from meetings.accounts.models import EndedSignIn
from meetings.accounts.passes import admits, reader_pass
from meetings.accounts.tokens import meeting_token
from meetings.models import Meeting
from meetings.sockets import consumers
from meetings.sockets.broadcast import Broadcaster
from tests.meetings.sockets.test_consumers import closed, heard, refusal, socket

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
"""For sockets, which have database connections of their own."""

PASSWORD = "correct horse"


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


def change_links(host: Client, meeting: Meeting, **choices: str) -> None:
    answer = host.post(f"/host/{meeting.pk}/links/", {"expiry": "as-it-is", **choices})
    assert (answer.status_code, answer["Location"]) == (302, f"/host/{meeting.pk}/links/")
    meeting.refresh_from_db()


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

    @pytest.mark.parametrize("place", range(5))
    def test_a_changed_pass_opens_nothing(self, host: Client, meeting: Meeting, place: int) -> None:
        parts = page_token(host, f"/host/{meeting.pk}/").split(".")
        for other in ("", "0", "9" * 20, parts[place] + "0"):
            assert not admits(meeting, "host", ".".join([*parts[:place], other, *parts[place + 1 :]]))

    @committed
    async def test_signing_out_closes_the_hosts_socket(self, host: Client, meeting: Meeting) -> None:
        token = await in_thread(page_token, host, f"/host/{meeting.pk}/")
        async with socket(f"/ws/host/{meeting.pk}/?token={token}") as open_socket:
            await heard(open_socket, "hello")
            await in_thread(host.post, "/logout/")
            assert (await heard(open_socket, "error"))["code"] == "bad_token"
            assert await closed(open_socket) == 4401
        assert await refusal(f"/ws/host/{meeting.pk}/?token={token}") == ("bad_token", 4401)

    @committed
    async def test_whoever_came_by_a_link_stays(self, host: Client, meeting: Meeting) -> None:
        await in_thread(host.get, f"/host/{meeting.pk}/")
        async with socket(f"/ws/captions/{meeting.pk}/?token={meeting_token(meeting, 'join')}") as viewer:
            await heard(viewer, "hello")
            await in_thread(host.post, "/logout/")
            await viewer.send_to(text_data='{"type":"language","language":"xx"}')
            assert (await heard(viewer, "error"))["code"] == "language_unavailable"


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
        answer = client.post(link, {"password": PASSWORD})
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

    def test_guessing_is_slow(self, host: Client, meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
        change_links(host, meeting, password=PASSWORD)
        checked: list[str] = []
        monkeypatch.setattr(link_views, "TRIES_OF_ALL", 20)
        monkeypatch.setattr(link_views, "check_password", lambda given, _: checked.append(given))
        link = f"/m/{meeting.pk}/?token={meeting_token(meeting, 'join')}"
        codes = [Client().post(link, {"password": str(number)}).status_code for number in range(15)]
        assert codes == [403] * 10 + [429] * 5
        others = [Client(REMOTE_ADDR=f"10.0.0.{n}").post(link, {"password": "x"}).status_code for n in range(20)]
        assert others == [403] * 10 + [429] * 10
        assert len(checked) == 20

    @committed
    async def test_a_new_password_sends_out_who_came_without(self, host: Client, meeting: Meeting) -> None:
        async with socket(f"/ws/captions/{meeting.pk}/?token={meeting_token(meeting, 'join')}") as viewer:
            await heard(viewer, "hello")
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
        monkeypatch.setattr("meetings.sockets.broadcast.ADMISSION_S", 0.05)
        async with socket(f"/ws/captions/{meeting.pk}/?token={meeting_token(meeting, 'join')}") as viewer:
            await heard(viewer, "hello")
            await Meeting.objects.aupdate(links_expire_at=timezone.now())
            assert await closed(viewer) == 4401

    @committed
    async def test_new_links_send_everybody_out(self, host: Client, meeting: Meeting) -> None:
        join, speak = meeting_token(meeting, "join"), meeting_token(meeting, "host")
        async with (
            socket(f"/ws/captions/{meeting.pk}/?token={join}") as viewer,
            socket(f"/ws/host/{meeting.pk}/?token={speak}") as speaker,
        ):
            await heard(viewer, "hello")
            await heard(speaker, "hello")
            await in_thread(change_links, host, meeting, is_renewed="on")
            assert (await closed(viewer), await closed(speaker)) == (4401, 4401)
        assert await refusal(f"/ws/captions/{meeting.pk}/?token={join}") == ("bad_token", 4401)

    @committed
    async def test_a_deleted_meeting_sends_everybody_out(self, host: Client, meeting: Meeting) -> None:
        async with socket(f"/ws/captions/{meeting.pk}/?token={meeting_token(meeting, 'join')}") as viewer:
            await heard(viewer, "hello")
            await in_thread(host.post, f"/host/{meeting.pk}/delete/")
            assert await closed(viewer) == 4404


def test_only_who_is_signed_in_changes_links(client: Client, meeting: Meeting) -> None:
    token = meeting_token(meeting, "host")
    assert client.post(f"/host/{meeting.pk}/links/?token={token}", {"expiry": "never"})["Location"].startswith(
        "/login/"
    )
    client.force_login(User.objects.create_user("eve"))
    assert client.post(f"/host/{meeting.pk}/links/?token={token}", {"expiry": "never"}).status_code == 403


class TestLockout:
    def try_password(self, password: str, name: str = "ana", address: str = "10.0.0.1") -> int:
        client = Client(REMOTE_ADDR=address)
        return client.post("/login/", {"username": name, "password": password}).status_code

    def test_guessing_a_password_is_stopped_for_a_while(self, owner: User) -> None:
        assert [self.try_password("wrong") for _ in range(5)] == [200] * 4 + [429]
        assert self.try_password(PASSWORD) == 429, "not even the right one"
        assert self.try_password(PASSWORD, address="10.0.0.2") == 302, "others are not locked out with them"
        from axes.models import AccessAttempt

        AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
        assert self.try_password(PASSWORD) == 302

    def test_the_admin_is_locked_too(self, owner: User) -> None:
        codes = [Client().post("/admin/login/", {"username": "ana", "password": "wrong"}).status_code for _ in range(5)]
        assert codes == [200] * 4 + [429]
