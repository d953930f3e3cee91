from __future__ import annotations

import re

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.test import Client

from meetings.accounts.join_codes import join_code
from meetings.accounts.link_tokens import meeting_token
from meetings.models import Meeting, State
from meetings.web import join_views

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker_sync")]

WRONG = "ZZZ-ZZZ-ZZZ"


@pytest.fixture
def meeting() -> Meeting:
    return Meeting.objects.create(title="Planning", owner=User.objects.create_user("ana"))


def given(code: str, address: str = "10.0.0.1") -> int:
    return Client(REMOTE_ADDR=address).post("/join/", {"code": code}).status_code


def test_the_code_leads_to_the_captions_and_no_address_has_a_token(client: Client, meeting: Meeting) -> None:
    answer = client.post("/join/", {"code": join_code(meeting)}, follow=True)
    assert answer.redirect_chain == [(f"/m/{meeting.pk}/", 302)]
    page = answer.content.decode()
    token = meeting_token(meeting, "join")
    assert f'data-token="{token}"' in page, "the socket has the token of the link"
    assert not re.search(rf'(?:href|src|action)="[^"]*{token}', page)
    assert [client.get(f"/m/{meeting.pk}/{end}").status_code for end in ("", "read/", "transcript.txt")] == [200] * 3
    assert client.get(f"/host/{meeting.pk}/").status_code == 302
    assert Client().get(f"/m/{meeting.pk}/").status_code == 403


def test_who_came_by_a_code_reads_on_after_the_end_and_not_with_new_links(client: Client, meeting: Meeting) -> None:
    client.post("/join/", {"code": join_code(meeting)})
    Meeting.objects.update(state=State.ENDED)
    assert client.get(f"/m/{meeting.pk}/read/").status_code == 200
    Meeting.objects.update(link_generation=1)
    assert client.get(f"/m/{meeting.pk}/read/").status_code == 403


def test_a_password_is_asked_after_the_code(client: Client, meeting: Meeting) -> None:
    Meeting.objects.update(link_password=make_password("basalt-cormorant"))
    answer = client.post("/join/", {"code": join_code(meeting)}, follow=True)
    assert 'name="password"' in answer.content.decode()
    assert client.get(f"/m/{meeting.pk}/read/").status_code == 403
    answer = client.post(f"/m/{meeting.pk}/", {"password": "basalt-cormorant"})
    assert (answer.status_code, answer["Location"]) == (302, f"/m/{meeting.pk}/")
    assert client.get(f"/m/{meeting.pk}/read/").status_code == 200


def test_whatever_is_wrong_with_it_the_answer_is_the_same(meeting: Meeting) -> None:
    ended = Meeting.objects.create(title="Ended", state=State.ENDED)
    renewed = Meeting.objects.create(title="Renewed")
    codes = [WRONG, "", "x" * 500, join_code(ended), join_code(renewed)]
    Meeting.objects.filter(pk=renewed.pk).update(link_generation=1)
    answers = [Client().post("/join/", {"code": code}) for code in codes]
    assert {answer.status_code for answer in answers} == {403}
    texts = {re.sub(r'value="[^"]{60,}"', "", answer.content.decode()) for answer in answers}
    assert len(texts) == 1
    assert "does not open a meeting" in texts.pop()
    assert {tuple(answer.cookies) for answer in answers} == {("csrftoken",)}


def test_tries_are_bounded_for_an_address(meeting: Meeting) -> None:
    code = join_code(meeting)
    assert [given(WRONG) for _ in range(22)] == [403] * 20 + [429] * 2
    assert given(code) == 429, "not even the right one"
    assert given(code, "10.0.0.2") == 302
    assert [given(WRONG, f"2001:db8:0:1::{number:x}") for number in range(21)] == [403] * 20 + [429]


def test_right_codes_count_for_nothing(meeting: Meeting) -> None:
    code = join_code(meeting)
    assert {given(code) for _ in range(30)} == {302}
    assert [given(WRONG) for _ in range(21)] == [403] * 20 + [429]


def test_tries_are_bounded_in_all(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join_views, "ATTACKED", 20)
    monkeypatch.setattr(join_views, "TRIES_IN_ALL", 25)
    code = join_code(meeting)
    assert [given(WRONG) for _ in range(40)] == [403] * 20 + [429] * 20
    assert [given(WRONG, "10.0.0.2") for _ in range(3)] == [403, 403, 429], "fewer, now that it is attacked"
    assert given(code, "10.0.0.3") == 302, "what an address tries beyond its bound counts for no other"
    assert [given(WRONG, f"10.0.1.{number}") for number in range(5)] == [403] * 3 + [429] * 2
    answer = Client(REMOTE_ADDR="10.0.0.4").post("/join/", {"code": code})
    assert answer.status_code == 429, "nobody types a code, until the time is over"
    assert 0 < int(answer["Retry-After"]) <= join_views.TRIES_WITHIN_S
    link = f"/m/{meeting.pk}/?token={meeting_token(meeting, 'join')}"
    assert Client(REMOTE_ADDR="10.0.0.4").get(link).status_code == 200, "links go on"


def test_a_code_in_an_address_opens_nothing(client: Client, meeting: Meeting) -> None:
    answer = client.get("/join/", {"code": join_code(meeting)})
    assert (answer.status_code, answer.cookies.get(f"link-{meeting.pk}")) == (200, None)
    assert client.get("/join")["Location"] == "/join/", "as people type it"


def test_the_host_is_shown_it_while_the_meeting_is_open(meeting: Meeting) -> None:
    host = Client()
    host.force_login(meeting.owner)  # type: ignore[arg-type]
    code = join_code(meeting)
    page = host.get(f"/host/{meeting.pk}/").content.decode()
    assert page.count(code) == 2
    assert '<strong class="join-address">testserver/join</strong>' in page
    Meeting.objects.update(state=State.ENDED)
    assert code not in host.get(f"/host/{meeting.pk}/").content.decode()
