from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from meetings.accounts.link_tokens import Role, meeting_token, storage_key
from meetings.broker.audio_log import beat_key
from meetings.models import Caption, Meeting, Speaker, State, Translation
from meetings.web import meeting_views

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ana")


@pytest.fixture
def meeting(owner: User) -> Meeting:
    meeting = Meeting.objects.create(title="Planning <b>", owner=owner, last_seq=1)
    Caption.objects.create(
        meeting=meeting, segment="0", seq=1, start=0.0, end=2.0, language="en", text="Good morning everyone."
    )
    return meeting


@pytest.fixture
def host(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


def address(meeting: Meeting, role: Role, suffix: str = "") -> str:
    page = "host" if role == "host" else "m"
    return f"/{page}/{meeting.pk}/{suffix}?token={meeting_token(meeting, role)}"


def pages(meeting: Meeting) -> Iterator[str]:
    yield f"/host/{meeting.pk}/"
    yield f"/host/{meeting.pk}/qr.svg"
    yield f"/m/{meeting.pk}/"
    yield f"/m/{meeting.pk}/transcript.vtt"


class TestMeetings:
    def test_is_for_hosts_who_signed_in(self, client: Client) -> None:
        answer = client.get("/")
        assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/")

    def test_lists_a_bounded_number_a_page(self, host: Client, owner: User) -> None:
        for number in range(meeting_views.MEETINGS_A_PAGE + 2):
            Meeting.objects.create(title=f"Meeting {number:03}", owner=owner)
        first, second, beyond = (host.get("/", {"page": page}).content.decode() for page in ("1", "2", "nonsense"))
        assert [first.count("meeting-title"), second.count("meeting-title")] == [meeting_views.MEETINGS_A_PAGE, 2]
        assert 'rel="next" href="?page=2"' in first
        assert 'rel="prev" href="?page=1"' in second
        assert beyond.count("meeting-title") == meeting_views.MEETINGS_A_PAGE
        assert "Page 1 of 2" in first

    def test_creates_a_meeting_of_the_host_and_opens_it(self, host: Client, owner: User) -> None:
        answer = host.post("/", {"title": "Retro", "language": "pt", "languages": ["en"], "keep_recording": "on"})
        meeting = Meeting.objects.get()
        assert (answer.status_code, answer["Location"]) == (302, f"/host/{meeting.pk}/")
        assert (meeting.owner, meeting.language, meeting.languages) == (owner, "pt", ["en"])
        assert (meeting.keep_recording, meeting.allow_downloads) == (True, False)

    def test_says_what_is_wrong_and_keeps_what_was_typed(self, host: Client) -> None:
        answer = host.post("/", {"title": "", "language": "pt", "vocabulary": "Quintela"})
        assert answer.status_code == 422
        assert answer.content.decode().count('role="alert"') == 1, "one error is told once"
        assert "Give the meeting a title." in answer.content.decode()
        assert "Quintela" in answer.content.decode()
        assert not Meeting.objects.exists()

    def test_shows_only_ones_own(self, host: Client, stranger: Client, meeting: Meeting) -> None:
        assert "Planning &lt;b&gt;" in host.get("/").content.decode()
        assert meeting.pk not in stranger.get("/").content.decode()

    def test_staff_sees_all(self, admin_client: Client, meeting: Meeting) -> None:
        assert meeting.pk in admin_client.get("/").content.decode()


class TestDelete:
    def test_takes_the_captions_along(self, host: Client, meeting: Meeting) -> None:
        assert host.post(f"/host/{meeting.pk}/delete/")["Location"] == "/"
        assert not Meeting.objects.exists()
        assert not Caption.objects.exists()

    def test_is_not_for_others(self, stranger: Client, meeting: Meeting) -> None:
        assert stranger.post(f"/host/{meeting.pk}/delete/").status_code == 403
        assert Meeting.objects.exists()

    def test_never_by_following_a_link(self, host: Client, meeting: Meeting) -> None:
        assert host.get(f"/host/{meeting.pk}/delete/").status_code == 405
        assert Meeting.objects.exists()


class TestWhoMayOpen:
    def test_owner_opens_everything(self, host: Client, meeting: Meeting) -> None:
        assert [host.get(page).status_code for page in pages(meeting)] == [200, 200, 200, 200]

    def test_stranger_opens_nothing(self, stranger: Client, meeting: Meeting) -> None:
        assert [stranger.get(page).status_code for page in pages(meeting)] == [403, 403, 403, 403]

    def test_viewer_link_opens_viewer_pages_only(self, client: Client, meeting: Meeting) -> None:
        token = meeting_token(meeting, "join")
        codes = [client.get(f"{page}?token={token}").status_code for page in pages(meeting)]
        assert codes == [403, 403, 200, 200]

    def test_host_link_needs_no_account(self, client: Client, meeting: Meeting) -> None:
        token = meeting_token(meeting, "host")
        assert [client.get(f"{page}?token={token}").status_code for page in pages(meeting)] == [200, 200, 200, 200]

    def test_host_without_session_is_asked_to_sign_in(self, client: Client, meeting: Meeting) -> None:
        answer = client.get(f"/host/{meeting.pk}/")
        assert (answer.status_code, answer["Location"]) == (302, f"/login/?next=/host/{meeting.pk}/")

    @pytest.mark.parametrize("token", ["", "x", "é", "a" * 32, "%00"])
    def test_wrong_token_gets_a_sentence(self, client: Client, meeting: Meeting, token: str) -> None:
        for page in pages(meeting):
            answer = client.get(page, {"token": token})
            assert answer.status_code == 403
            assert "ask the host for a new one" in answer.content.decode()

    def test_revoked_links_are_dead(self, client: Client, meeting: Meeting) -> None:
        link = address(meeting, "join")
        meeting.link_generation += 1
        meeting.save()
        assert client.get(link).status_code == 403

    @pytest.mark.parametrize("page", ["/m/nothing/", "/host/nothing/?token=x", "/m/nothing/transcript.vtt"])
    def test_unknown_meeting_gets_a_sentence(self, client: Client, page: str) -> None:
        answer = client.get(page)
        assert answer.status_code == 404
        assert "There is no such meeting." in answer.content.decode()

    def test_unknown_page_gets_a_sentence(self, client: Client) -> None:
        answer = client.get("/nothing/here")
        assert answer.status_code == 404
        assert "There is no page at this address." in answer.content.decode()


class TestList:
    """What a line says, and how one of hundreds is found."""

    def test_a_line_tells_when_how_long_who_and_what_state(self, host: Client, owner: User) -> None:
        over = Meeting.objects.create(title="Budget", owner=owner, state=State.ENDED, cursor=16_000 * 3_900)
        for number, name in enumerate(("Ana", "", "Rui", "Ana again"), start=1):
            merged = "S1" if name == "Ana again" else ""
            Speaker.objects.create(meeting=over, label=f"S{number}", name=name, merged_into=merged, seq=number)
        talk = Meeting.objects.create(title="Talk", owner=owner, state=State.ENDED, cursor=16_000 * 150)
        Speaker.objects.create(meeting=talk, label="S1", seq=1)
        Meeting.objects.create(title="Tomorrow", owner=owner)
        lines = re.findall(r'<p class="hint facts">(.*?)</p>', host.get("/").content.decode(), re.DOTALL)
        texts = [" · ".join(re.sub(r"<time.*?</time>|<[^>]*>", "", line).split("\n")) for line in lines]
        told = [[part.strip() for part in text.split("·") if part.strip()] for text in texts]
        assert told == [
            ["Not started"],
            ["Ended", "2 min", "Speakers: 1"],
            ["Ended", "1 h 05 min", "Ana, Rui and 1 more"],
        ]

    def test_an_ended_meeting_opens_its_transcript_and_another_its_host_page(
        self, host: Client, meeting: Meeting
    ) -> None:
        title = r'<a class="meeting-title" href="([^"]+)"'
        assert re.findall(title, host.get("/").content.decode()) == [f"/host/{meeting.pk}/"]
        Meeting.objects.update(state=State.ENDED)
        assert re.findall(title, host.get("/").content.decode()) == [f"/m/{meeting.pk}/read/"]
        Meeting.objects.update(last_seq=0)
        assert re.findall(title, host.get("/").content.decode()) == [f"/host/{meeting.pk}/"], "nothing was said"

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"q": "budget"}, ["Budget 2", "Budget 1"]),
            ({"q": "BUDGET quin"}, ["Budget 1"]),
            ({"q": "budget", "state": "ended"}, ["Budget 2"]),
            ({"state": "open"}, ["Retro", "Budget 1"]),
            ({"q": "%"}, []),
            ({"q": "x" * 500}, []),
            ({"q": "\0budget", "state": "nonsense"}, ["Budget 2", "Budget 1"]),
        ],
    )
    def test_finds_by_title_speaker_and_state(
        self, host: Client, owner: User, query: dict[str, str], found: list[str]
    ) -> None:
        first, _ = (
            Meeting.objects.create(title=title, owner=owner, state=state)
            for title, state in (("Budget 1", State.PAUSED), ("Budget 2", State.ENDED))
        )
        Speaker.objects.create(meeting=first, label="S1", name="Ana Quintela", seq=1)
        Meeting.objects.create(title="Retro", owner=owner)
        Meeting.objects.create(title="Budget of others")
        page = host.get("/", query).content.decode()
        assert re.findall(r'class="meeting-title".*?>([^<]+)<', page) == found
        assert ("No meeting matches." in page) is (found == [])

    def test_pages_keep_what_was_searched(self, host: Client, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(meeting_views, "MEETINGS_A_PAGE", 2)
        for number in range(5):
            Meeting.objects.create(title=f"Budget {number}", owner=owner)
        page = unescape(host.get("/", {"q": "budget", "page": "2"}).content.decode())
        links = re.findall(r'rel="(prev|next)" href="([^"]+)"', page)
        assert links == [("prev", "?q=budget&page=1"), ("next", "?q=budget&page=3")]

    def test_costs_so_many_queries_however_long_it_is(
        self, host: Client, owner: User, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(40):
            one = Meeting.objects.create(title=f"Budget {number}", owner=owner, state=State.ENDED)
            Speaker.objects.create(meeting=one, label="S1", name="Ana", seq=1)
        with django_assert_max_num_queries(10):
            host.get("/")

    def test_first_steps_stay_until_they_are_hidden_and_the_sample_can_be_played_again(
        self, host: Client, owner: User
    ) -> None:
        for _ in range(2):
            page = host.get("/").content.decode()
            assert "Create a meeting: a title is enough." in page
            assert page.count('action="/sample/"') == 1
            Meeting.objects.create(title="Sample", owner=owner)
        assert host.post("/first-steps/hide")["Location"] == "/"
        page = host.get("/").content.decode()
        assert "Create a meeting: a title is enough." not in page
        assert page.count('action="/sample/"') == 1
        assert "Play the sample meeting" in page


def test_the_list_says_whose_host_is_away(host: Client, owner: User, broker_sync: redis.Redis) -> None:
    for title, state in (("Here", State.LIVE), ("Left", State.LIVE), ("Tomorrow", State.WAITING)):
        meeting = Meeting.objects.create(title=title, owner=owner, state=state)
        if title == "Here":
            broker_sync.set(beat_key(meeting.pk), 1)
    page = host.get("/").content.decode()
    states = dict(re.findall(r'dir="auto">(\w+)</a>.*?data-state="(\w+)"', page, re.DOTALL))
    assert states == {"Here": "live", "Left": "host_away", "Tomorrow": "waiting"}
    ids = dict(Meeting.objects.values_list("title", "pk"))
    other = Meeting.objects.create(title="Board", owner=User.objects.create_user("bea"), state=State.LIVE)
    told = host.get("/states", {"id": [*ids.values(), other.pk]}).json()
    assert {title: told[pk]["state"] for title, pk in ids.items()} == states
    assert told[ids["Left"]] == {"state": "host_away", "words": "Host not connected"}
    assert other.pk not in told


class TestHostPage:
    def test_carries_the_token_of_the_link_it_was_opened_by(self, client: Client, meeting: Meeting) -> None:
        page = client.get(address(meeting, "host")).content.decode()
        assert f'data-meeting="{meeting.pk}" data-token="{meeting_token(meeting, "host")}"' in page

    def test_carries_the_key_of_the_browsers_storage_and_no_viewer_gets_it(
        self, host: Client, client: Client, meeting: Meeting
    ) -> None:
        key = storage_key(meeting)
        assert f'data-storage-key="{key}"' in host.get(f"/host/{meeting.pk}/").content.decode()
        assert key not in client.get(address(meeting, "join")).content.decode()

    def test_of_who_is_signed_in_carries_no_link_of_the_host(self, host: Client, meeting: Meeting) -> None:
        assert meeting_token(meeting, "host") not in host.get(f"/host/{meeting.pk}/").content.decode()

    def test_shares_the_viewer_link_and_never_the_host_link(self, host: Client, meeting: Meeting) -> None:
        page = unescape(host.get(f"/host/{meeting.pk}/").content.decode())
        links = set(re.findall(r'(?:value|href)="(http://[^"]+)"', page))
        assert links == {f"http://testserver{address(meeting, 'join')}"}

    def test_links_are_safe_where_a_proxy_makes_them_so(
        self, host: Client, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        public = replace(settings.ENVIRONMENT, trusted_origins=["https://testserver"])
        monkeypatch.setattr(settings, "ENVIRONMENT", public)
        page = unescape(host.get(f"/host/{meeting.pk}/").content.decode())
        links = set(re.findall(r'(?:value|href)="(https?://[^"]+)"', page))
        assert links == {f"https://testserver{address(meeting, 'join')}"}

    def test_says_that_loopback_does_not_reach_others(self, host: Client, meeting: Meeting) -> None:
        near = host.get(f"/host/{meeting.pk}/", headers={"host": "127.0.0.1:8000"}).content.decode()
        far = host.get(f"/host/{meeting.pk}/").content.decode()
        assert "works on this machine only" in near
        assert "works on this machine only" not in far

    def test_ended_meeting_offers_its_transcript_at_once(self, host: Client, meeting: Meeting) -> None:
        Meeting.objects.update(state=State.ENDED)
        page = host.get(f"/host/{meeting.pk}/").content.decode()
        assert 'data-ended="true"' in page
        assert "data-finished hidden" not in page

    def test_qr_card_is_an_image(self, host: Client, meeting: Meeting) -> None:
        answer = host.get(f"/host/{meeting.pk}/qr.svg")
        assert answer["Content-Type"] == "image/svg+xml"
        assert answer.content.startswith(b"<svg")


def banner_of(reader: Client, meeting: Meeting) -> str:
    page = reader.get(address(meeting, "join")).content.decode()
    return page[page.index("data-notice-ways") : page.index("<main")]


class TestViewerPage:
    def test_holds_no_host_token(self, client: Client, meeting: Meeting) -> None:
        page = client.get(address(meeting, "join")).content.decode()
        assert meeting_token(meeting, "join") in page
        assert meeting_token(meeting, "host") not in page

    def test_offers_downloads_when_allowed(self, client: Client, meeting: Meeting) -> None:
        assert "transcript.srt" in client.get(address(meeting, "join")).content.decode()
        Meeting.objects.update(allow_downloads=False)
        assert "transcript." not in client.get(address(meeting, "join")).content.decode()

    def test_overlay_is_the_same_page_in_another_dress(self, client: Client, meeting: Meeting) -> None:
        link = address(meeting, "join")
        assert 'class="viewer overlay"' in client.get(f"{link}&overlay=1").content.decode()
        assert 'class="viewer"' in client.get(link).content.decode()

    def test_shows_ways_on_from_the_end(self, client: Client, host: Client, meeting: Meeting) -> None:
        ways = {reader: re.findall(r"<a href=.*?>(.*?)</a>", banner_of(reader, meeting)) for reader in (client, host)}
        assert ways == {client: ["Open transcript"], host: ["Open transcript", "Back to meetings"]}


class TestTranscript:
    @pytest.mark.parametrize("name", ["vtt", "srt", "txt", "md", "json"])
    def test_is_a_file_with_what_was_said(self, client: Client, meeting: Meeting, name: str) -> None:
        answer = client.get(address(meeting, "join", f"transcript.{name}"))
        assert answer.status_code == 200
        assert answer["Content-Disposition"] == f'attachment; filename="transcript-{meeting.pk}.{name}"'
        assert "Good morning everyone." in answer.content.decode()

    def test_is_in_the_language_that_is_asked_for(self, client: Client, meeting: Meeting) -> None:
        Translation.objects.create(caption=meeting.captions.get(), language="pt", text="Bom dia a todos.")
        link = address(meeting, "join", "transcript.txt")
        translated = client.get(f"{link}&lang=pt")
        assert "Bom dia a todos." in translated.content.decode()
        assert translated["Content-Disposition"] == f'attachment; filename="transcript-{meeting.pk}-pt.txt"'
        assert "Good morning everyone." in client.get(f"{link}&lang=en").content.decode()
        assert "Good morning everyone." in client.get(f"{link}&lang=").content.decode()

    @pytest.mark.parametrize(
        ("language", "status", "sentence"),
        [
            ("es", 404, "This meeting has no transcript in Spanish."),
            ("tlh", 400, "tlh is no language code; use one such as en, pt, es."),
            ("<b>", 400, "&lt;b&gt; is no language code"),
        ],
    )
    def test_a_language_that_is_not_there_is_said(
        self, client: Client, meeting: Meeting, language: str, status: int, sentence: str
    ) -> None:
        answer = client.get(f"{address(meeting, 'join', 'transcript.txt')}&{urlencode({'lang': language})}")
        assert answer.status_code == status
        assert sentence in answer.content.decode()

    @pytest.mark.parametrize("name", ["exe", "vtt.", "VTT"])
    def test_unknown_format_is_not_found(self, client: Client, meeting: Meeting, name: str) -> None:
        assert client.get(address(meeting, "join", f"transcript.{name}")).status_code == 404

    def test_only_the_host_where_downloads_are_off(self, client: Client, meeting: Meeting) -> None:
        Meeting.objects.update(allow_downloads=False)
        name = "transcript.txt"
        assert client.get(address(meeting, "join", name)).status_code == 403
        host_link = f"/m/{meeting.pk}/{name}?token={meeting_token(meeting, 'host')}"
        assert client.get(host_link).status_code == 200


class TestHeaders:
    def test_the_policy_names_the_sockets_of_the_page(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        """Safari up to 15.3 does not take `'self'` for them."""
        public = replace(settings.ENVIRONMENT, trusted_origins=["https://captions.example.org"])
        monkeypatch.setattr(settings, "ENVIRONMENT", public)
        policy = client.get("/login/")["Content-Security-Policy"]
        assert "connect-src 'self' wss://captions.example.org ws://testserver" in policy

    def test_nothing_with_a_token_is_kept_or_passed_on(self, host: Client, meeting: Meeting) -> None:
        for page in ("/", *pages(meeting)):
            answer = host.get(page)
            assert answer["Cache-Control"] == "private, no-store"
            assert answer["Referrer-Policy"] == "same-origin"

    def test_pages_obey_their_own_policy(self, host: Client, meeting: Meeting) -> None:
        """No inline script or style: the browser would drop it without a word. Data in a script element is none."""
        for page in ("/", f"/host/{meeting.pk}/", f"/m/{meeting.pk}/", "/login/", "/nothing"):
            answer = host.get(page, follow=True)
            assert "default-src 'self'" in answer["Content-Security-Policy"]
            html = answer.content.decode()
            assert not re.search(
                r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\s(src=|type=.application/json))", html
            )

    def test_titles_are_text(self, host: Client, meeting: Meeting) -> None:
        for page in ("/", f"/host/{meeting.pk}/", f"/m/{meeting.pk}/"):
            html = host.get(page).content.decode()
            assert "Planning &lt;b&gt;" in html
            assert "Planning <b>" not in html


def test_passwords_sign_in_and_out(client: Client, owner: User) -> None:
    owner.set_password("correct horse")
    owner.save()
    refused = client.post("/login/", {"username": "ana", "password": "wrong"})
    assert "do not match" in refused.content.decode()
    answer = client.post("/login/", {"username": "ana", "password": "correct horse"})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.post("/logout/")["Location"] == "/login/"
    assert client.get("/").status_code == 302


class TestInterface:
    def test_speaks_the_language_of_the_browser(self, client: Client, meeting: Meeting) -> None:
        for asked, spoken, tag in (
            ("pt-BR,pt;q=0.9", "pt-br", "pt-BR"),
            ("pt-PT,pt;q=0.9", "pt", "pt-PT"),
            ("pt", "pt", "pt-PT"),
            ("de,en;q=0.5", "en", "en"),
        ):
            answer = client.get("/login/", headers={"Accept-Language": asked})
            assert f'<html lang="{tag}" dir="ltr">' in answer.content.decode()
            assert answer["Content-Language"] == spoken

    def test_the_choice_is_kept_and_leads_back(self, client: Client, meeting: Meeting) -> None:
        link = address(meeting, "join")
        page = client.get(link, headers={"Accept-Language": "en"}).content.decode()
        assert f'name="next" value="{link}"' in unescape(page)
        answer = client.post("/interface-language/", {"language": "pt", "next": link}, follow=True)
        assert answer.redirect_chain == [(link, 302)]
        assert "As legendas aparecem aqui" in answer.content.decode()
        assert '"Jump to live": "Ir para o direto"' in answer.content.decode()

    def test_leads_nowhere_else(self, client: Client) -> None:
        answer = client.post("/interface-language/", {"language": "pt", "next": "https://elsewhere.example/"})
        assert answer["Location"] == "/"

    def test_refusals_are_in_it_too(self, client: Client, meeting: Meeting) -> None:
        portuguese = {"Accept-Language": "pt"}
        assert "Este link não abre a reunião." in client.get(f"/m/{meeting.pk}/", headers=portuguese).content.decode()
        assert "Essa reunião não existe." in client.get("/m/nothing/", headers=portuguese).content.decode()
