"""What the page for uploads asks of the server: announcing files, chunks, the list."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from meetings.models import ApiJob, ApiToken, Meeting, State, Upload, UploadFailure, UploadState
from meetings.store import upload_files, uploads
from meetings.store.summary_attempts import LONGEST_INTERVAL_S

pytestmark = pytest.mark.django_db(transaction=True)

CONTENT = b"a recording of ten minutes"
FILE = {"name": "talk.mp3", "size": len(CONTENT), "modified": 1_700_000_000_000, "type": "audio/mpeg"}


@pytest.fixture
def host(client: Client) -> User:
    user = User.objects.create_user("ana")
    client.force_login(user)
    return user


def announce(client: Client, **fields: Any) -> Any:
    return client.post(reverse("uploads"), {"language": "en", **FILE, **fields})


def begun(client: Client, **fields: Any) -> str:
    """The address of a new upload."""
    address: str = announce(client, **fields).json()["address"]
    return address


def send(client: Client, address: str, chunk: bytes, offset: int, **headers: str) -> Any:
    headers = {"Upload-Offset": str(offset), **{name.replace("_", "-"): value for name, value in headers.items()}}
    return client.patch(address, chunk, content_type="application/offset+octet-stream", headers=headers)


def arrived(client: Client, address: str) -> tuple[int, str]:
    answer = client.head(address)
    return answer.status_code, answer.headers["Upload-Offset"]


def test_a_file_becomes_a_meeting_of_its_host(client: Client, host: User) -> None:
    answer = announce(client, language="pt", languages=["en"], vocabulary="Valkey", summary="on", keep_recording="on")
    assert answer.status_code == 201
    meeting = Meeting.objects.get()
    assert (meeting.title, meeting.owner, meeting.language, meeting.languages) == ("talk.mp3", host, "pt", ["en"])
    assert (meeting.vocabulary, meeting.keep_recording, meeting.allow_downloads) == ("Valkey", True, True)
    assert meeting.summary_every_s == LONGEST_INTERVAL_S
    assert (meeting.upload.size, meeting.upload.state) == (len(CONTENT), UploadState.RECEIVING)


def test_chunks_arrive_and_the_whole_file_waits_for_a_worker(client: Client, host: User) -> None:
    address = begun(client)
    checksum = f"sha256 {base64.b64encode(hashlib.sha256(CONTENT[:10]).digest()).decode()}"
    assert send(client, address, CONTENT[:10], 0, Upload_Checksum=checksum).headers["Upload-Offset"] == "10"
    assert arrived(client, address) == (200, "10")
    assert send(client, address, CONTENT[10:], 10).status_code == 204
    upload = Upload.objects.get()
    assert (upload.state, upload_files.path(upload.pk).read_bytes()) == (UploadState.WAITING, CONTENT)
    assert arrived(client, address) == (200, str(len(CONTENT)))


def test_a_last_answer_that_got_lost_is_no_matter(client: Client, host: User) -> None:
    address = begun(client)
    upload = Upload.objects.get()
    upload_files.append(upload.pk, CONTENT, offset=0, size=len(CONTENT))
    assert arrived(client, address) == (200, str(len(CONTENT)))
    assert Upload.objects.get().state == UploadState.WAITING
    assert send(client, address, CONTENT, 0).headers["Upload-Offset"] == str(len(CONTENT))


@pytest.mark.parametrize(
    ("chunk", "offset", "headers", "status"),
    [
        (b"twice", 0, {}, 409),
        (b"ahead", 20, {}, 409),
        (CONTENT + b"more", 5, {}, 413),
        (b"damaged", 5, {"Upload_Checksum": "sha256 AAAA"}, 460),
        (b"nowhere", -1, {}, 400),
        pytest.param(b"nowhere", 5, {"Upload_Offset": "9" * 5_000}, 400, id="a very long number"),
    ],
)
def test_odd_chunks_are_refused_and_change_nothing(
    client: Client, host: User, chunk: bytes, offset: int, headers: dict[str, str], status: int
) -> None:
    address = begun(client)
    send(client, address, CONTENT[:5], 0)
    assert send(client, address, chunk, offset, **headers).status_code == status
    assert arrived(client, address) == (200, "5")


def test_two_pages_do_not_write_the_same_file(client: Client, host: User) -> None:
    address = begun(client)
    with upload_files._alone(Upload.objects.get().pk):
        assert send(client, address, CONTENT, 0).status_code == 423


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"size": 0}, "This file is empty."),
        ({"size": 4_000_000_001}, "This file is larger than 4 GB, the most that may be uploaded here."),
        ({"type": "image/png"}, "This is not a recording. Choose an audio or video file."),
        ({"language": "es", "languages": ["pt"]}, "Spanish is not available with the starter models."),
    ],
)
def test_what_cannot_be_is_told_before_it_is_sent(
    client: Client, host: User, fields: dict[str, Any], sentence: str
) -> None:
    answer = announce(client, **fields)
    assert (answer.status_code, answer.json()) == (422, {"sentence": sentence})
    assert Meeting.objects.count() == 0


def test_a_recording_that_browsers_take_for_a_photograph_is_taken(client: Client, host: User) -> None:
    """`.raw` is to Chromium; the worker asks for its format."""
    assert announce(client, name="call.raw", type="image/x-panasonic-raw").status_code == 201


def test_a_name_that_reads_as_another_one_is_no_title(client: Client, host: User) -> None:
    assert announce(client, name="a\u202egnp.exe\u202c.wav").status_code == 201
    assert Meeting.objects.get().title == "agnp.exe.wav"


def test_a_server_without_room_says_so(client: Client, host: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_files, "DISK_RESERVE", 1 << 62)
    answer = announce(client)
    assert (answer.status_code, answer.json()["sentence"]) == (507, "There is no room on the server for this file.")
    assert Meeting.objects.count() == 0


def test_room_that_is_gone_meanwhile_is_told_at_the_chunk(
    client: Client, host: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = begun(client)
    monkeypatch.setattr(upload_files, "DISK_RESERVE", 1 << 62)
    answer = send(client, address, CONTENT[:10], 0)
    assert (answer.status_code, answer.content.decode()) == (507, "There is no room on the server for this file.")
    assert arrived(client, address) == (200, "0")


def test_a_host_has_so_many_unfinished_at_a_time(client: Client, host: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_UNFINISHED", 1)
    begun(client)
    answer = announce(client)
    assert (answer.status_code, answer.json()["sentence"]) == (
        429, "1 uploads of yours have not arrived whole, the most allowed. Finish or delete some."
    )  # fmt: skip


def test_the_limit_is_a_setting(client: Client, host: User, settings: Any) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, upload_limit=10)
    assert announce(client).status_code == 422


def test_nobody_else_can_see_or_send_it(client: Client, host: User) -> None:
    address = begun(client)
    client.force_login(User.objects.create_user("bo"))
    assert client.head(address).status_code == 404
    assert send(client, address, CONTENT, 0).status_code == 404
    assert client.get(reverse("upload-list")).json() == {"uploads": []}
    client.logout()
    assert send(client, address, CONTENT, 0).status_code == 403
    assert client.get(reverse("uploads")).status_code == 302
    assert upload_files.received(Upload.objects.get().pk) == 0


def test_a_chunk_without_the_forms_token_is_refused(host: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(host)
    uploads.begin(meeting := Meeting(title="talk", owner=host), uploads.Announced("talk.mp3", 5, 0))
    assert send(strict, reverse("upload-chunks", args=[meeting.pk]), b"12345", 0).status_code == 403


def test_the_list_says_how_far_each_is_and_what_is_there_then(client: Client, host: User) -> None:
    address = begun(client)
    send(client, address, CONTENT[:10], 0)
    [shown] = client.get(reverse("upload-list")).json()["uploads"]
    assert (shown["state"], shown["received"], shown["size"], shown["transcripts"]) == ("receiving", 10, 26, {})
    upload = Upload.objects.get()
    Meeting.objects.update(state=State.ENDED, cursor=160_000, last_seq=1)
    Upload.objects.update(state=UploadState.FAILED, failure=UploadFailure.DAMAGED, seconds=3_725.0)
    [shown] = client.get(reverse("upload-list")).json()["uploads"]
    assert shown["failure"] == "The file is damaged after 1:02:05. What comes before is captioned."
    assert (shown["captioned"], shown["page"]) == (10.0, reverse("host", args=[upload.pk]))
    assert set(shown["transcripts"]) == {"vtt", "srt", "txt", "md", "json", "docx"}
    assert all(client.get(link).status_code == 200 for link in shown["transcripts"].values())


def test_the_list_leaves_programs_their_own(client: Client, host: User) -> None:
    begun(client)
    token = ApiToken.objects.create(user=host, name="script")
    ApiJob.objects.create(meeting=Meeting.objects.get(), token=token)
    assert client.get(reverse("upload-list")).json() == {"uploads": []}


def test_the_list_says_what_is_missing_of_a_damaged_file(client: Client, host: User) -> None:
    begun(client)
    Upload.objects.update(state=UploadState.READY, missing_s=12.34)
    [shown] = client.get(reverse("upload-list")).json()["uploads"]
    assert (shown["label"], shown["failure"]) == ("Ready", "")
    assert shown["note"] == "The file is damaged: 12.3 seconds of it could not be read."


def test_the_host_page_of_a_recording_opens_when_it_is_captioned(client: Client, host: User) -> None:
    begun(client)
    page = reverse("host", args=[Upload.objects.get().pk])
    assert client.get(page).headers["Location"] == reverse("uploads")
    Meeting.objects.update(state=State.ENDED)
    assert client.get(page).status_code == 200


def test_deleting_from_the_list_leaves_no_file(client: Client, host: User, broker_sync: redis.Redis) -> None:
    begun(client)
    upload = Upload.objects.get()
    client.post(reverse("delete", args=[upload.pk]))
    assert not upload_files.path(upload.pk).exists()
    assert Meeting.objects.count() == 0
