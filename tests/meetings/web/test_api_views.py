"""The transcriptions endpoint, with the part of a worker that is not its own played by the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest
import redis
import webvtt
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import AsyncClient
from django.utils import timezone

from inference.speech.second_pass import Piece
from inference.types import Word
from meetings.accounts.api_tokens import create_token, user_of_token
from meetings.accounts.bearer import is_well_made, new_token
from meetings.languages import LANGUAGES
from meetings.models import ApiJob, ApiToken, Meeting, SecondPass, State, Upload, UploadFailure, UploadState
from meetings.store import api_jobs, retention, second_passes, upload_files, uploads
from meetings.web import api_results

T = TypeVar("T")

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/v1/audio/transcriptions"
SOUND = b"RIFF of no matter" * 100_000
"""Longer than a chunk."""

JSON = '{"text": "Good morning. Bom <dia>.", "usage": {"type": "duration", "seconds": 2}, "missing_s": 0.0}'


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ana")


@pytest.fixture
def token(user: User) -> str:
    return create_token(user, "script")


async def ask(token: str, **fields: Any) -> HttpResponse:
    data = {"file": SimpleUploadedFile("talk.wav", SOUND), "model": "whisper-1", **fields}
    answer: Any = await AsyncClient().post(PATH, data, headers={"Authorization": f"Bearer {token}"})
    return answer


def taken() -> Upload | None:
    upload = next(iter(uploads.waiting()), None)
    return upload if upload is not None and uploads.take(upload) else None


def caption(upload: Upload) -> None:
    """What a worker makes of it."""
    assert upload_files.path(upload.pk).read_bytes() == SOUND
    words = [{"start": 0.0, "end": 0.5, "text": "Good", "probability": 0.9}]
    for number, text in enumerate(("Good morning.", "Bom <dia>.")):
        upload.meeting.captions.create(
            segment=str(number), utterance=str(number), seq=number + 1, start=number, end=number + 1,
            language="en", text=text, words=words if number == 0 else [],
        )  # fmt: skip
    uploads.set_length(upload.pk, 2.0)
    Meeting.objects.filter(pk=upload.pk).update(state=State.ENDED, last_seq=2)
    uploads.settle()


async def until(condition: Callable[[], T]) -> T:
    """What `condition` gives, once it is true."""
    while not (found := await asyncio.to_thread(condition)):  # noqa: ASYNC110  (the condition is a row)
        await asyncio.sleep(0.01)
    return found


async def worker(outcome: Any = caption) -> Meeting:
    upload = await until(taken)
    assert upload is not None
    meeting = await Meeting.objects.aget(pk=upload.pk)
    await asyncio.to_thread(outcome, upload)
    return meeting


async def answered(token: str, **fields: Any) -> tuple[HttpResponse, Meeting]:
    answer, meeting = await asyncio.gather(ask(token, **fields), worker())
    return answer, meeting


@pytest.mark.parametrize(
    ("kind", "content_type", "body"),
    [
        (None, "application/json", JSON),
        ("json", "application/json", JSON),
        ("text", "text/plain; charset=utf-8", "Good morning. Bom <dia>.\n"),
        (
            "srt",
            "application/x-subrip; charset=utf-8",
            "1\n00:00:00,000 --> 00:00:01,000\nGood morning.\n\n2\n00:00:01,080 --> 00:00:02,080\nBom ‹dia›.\n\n",
        ),
    ],
)
async def test_answers_in_each_format(
    token: str, broker_sync: redis.Redis, kind: str | None, content_type: str, body: str
) -> None:
    answer, meeting = await answered(token, **({"response_format": kind} if kind else {}))
    assert (answer.status_code, answer["Content-Type"], answer.content.decode()) == (200, content_type, body)
    assert answer["X-Parlance-Missing-Seconds"] == "0.000"
    assert (meeting.language, meeting.is_ephemeral) == ("auto", True)
    assert not await Meeting.objects.aexists(), "nothing is kept"
    assert not upload_files.path(meeting.pk).exists()


async def test_the_second_pass_is_waited_for_if_it_is_asked_for(
    token: str, broker_sync: redis.Redis, settings: Any
) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, second_pass=True)
    answer, _ = await answered(token)
    assert (answer.status_code, await SecondPass.objects.acount()) == (200, 0)
    asked = asyncio.create_task(ask(token, second_pass="true"))
    meeting = await worker()
    claim = await asyncio.to_thread(second_passes.claim)
    assert claim is not None
    assert claim.meeting_id == meeting.pk
    words = (Word(0.0, 0.5, "Good", 0.9), Word(0.5, 1.0, "evening.", 0.9))
    await asyncio.to_thread(second_passes.revise, claim, [Piece(0.0, 1.0, "en", words)])
    assert not asked.done()
    await asyncio.to_thread(second_passes.finish, claim)
    assert json.loads((await asked).content)["text"] == "Good evening. Bom <dia>."


async def test_scripts_without_spaces_are_joined_without_them(token: str, broker_sync: redis.Redis) -> None:
    def chinese(upload: Upload) -> None:
        caption(upload)
        for row, text in zip(
            upload.meeting.captions.order_by("seq"), ("今天天气很好。", "我们去公园散步。"), strict=True
        ):
            row.text, row.language = text, "zh"
            row.save()

    answer, _ = await asyncio.gather(ask(token), worker(chinese))
    assert json.loads(answer.content)["text"] == "今天天气很好。我们去公园散步。"


async def test_the_long_form_says_when_and_who(token: str, broker_sync: redis.Redis) -> None:
    fields = {"response_format": "verbose_json", "language": "en", "prompt": "Quintela"}
    answer, meeting = await answered(token, **fields, **{"timestamp_granularities[]": ["word", "segment"]})
    assert (meeting.language, meeting.vocabulary) == ("en", "Quintela")
    segment = {"temperature": 0.0, "no_speech_prob": 0.0, "speaker": None, "language": "en"}
    assert json.loads(answer.content) == {
        "task": "transcribe",
        "language": "english",
        "duration": 2.0,
        "text": "Good morning. Bom <dia>.",
        "segments": [
            {
                **segment, "id": 0, "seek": 0, "start": 0.0, "end": 1.0, "text": "Good morning.",
                "avg_logprob": -0.1054, "compression_ratio": 0.619, "tokens": [2205, 2446, 13],
            },
            {
                **segment, "id": 1, "seek": 100, "start": 1.0, "end": 2.0, "text": "Bom <dia>.",
                "avg_logprob": 0.0, "compression_ratio": 0.5556, "tokens": [19812, 2627, 67, 654, 29, 13],
            },
        ],
        "words": [{"word": "Good", "start": 0.0, "end": 0.5}],
        "usage": {"type": "duration", "seconds": 2},
        "missing_s": 0.0,
    }  # fmt: skip


async def test_how_the_file_is_read_may_be_chosen(token: str, broker_sync: redis.Redis) -> None:
    chosen: list[tuple[str, str, bool]] = []

    def note(upload: Upload) -> None:
        chosen.append((upload.track, upload.input_format, upload.is_speaker_per_channel))
        caption(upload)

    fields = {"track": "2", "input_format": "s16le@16000", "speaker_per_channel": "true"}
    await asyncio.gather(ask(token, **fields), worker(note))
    assert chosen == [("2", "s16le@16000", True)]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [("track", "first", "'first' is no audio track"), ("input_format", "mp3", "'mp3' is no format of recordings")],
)
async def test_a_choice_that_is_none_is_refused(token: str, field: str, value: str, sentence: str) -> None:
    answer = await ask(token, **{field: value})
    error = json.loads(answer.content)["error"]
    assert (answer.status_code, error["param"]) == (400, field)
    assert error["message"].startswith(f"{field}: {sentence}")


async def test_an_answer_without_text_says_why(token: str, broker_sync: redis.Redis) -> None:
    def hear_nothing(upload: Upload) -> None:
        uploads.finish(upload.pk, seconds=2.0, missing_s=0.0, reading=uploads.Reading(sound="silence"))
        Meeting.objects.filter(pk=upload.pk).update(state=State.ENDED)
        uploads.settle()

    answer, _ = await asyncio.gather(ask(token), worker(hear_nothing))
    content = json.loads(answer.content)
    assert (content["text"], content["missing_s"], content["nothing_heard"]) == ("", 0.0, "silence")
    assert answer["X-Parlance-Nothing-Heard"] == "silence"


@pytest.mark.parametrize(
    ("language", "code"), [("en-US", "en"), ("pt-BR", "pt"), ("english", "en"), ("auto", "auto"), ("", "auto")]
)
async def test_a_language_is_taken_as_programs_write_it(
    token: str, broker_sync: redis.Redis, language: str, code: str
) -> None:
    answer, meeting = await answered(token, language=language)
    assert (answer.status_code, meeting.language) == (200, code)


async def test_of_a_long_prompt_the_end_counts(token: str, broker_sync: redis.Redis) -> None:
    answer, meeting = await answered(token, prompt="Quintela, " + "word " * 1_000 + "Zacarias")
    assert (answer.status_code, meeting.vocabulary) == (200, "word " * 398 + "Zacarias")


@pytest.mark.parametrize("kind", ["json", "text", "srt", "vtt", "verbose_json"])
async def test_what_is_missing_of_a_damaged_recording_is_said(token: str, broker_sync: redis.Redis, kind: str) -> None:
    def damaged(upload: Upload) -> None:
        uploads.finish(upload.pk, seconds=2.0, missing_s=12.5)
        caption(upload)

    answer, _ = await asyncio.gather(ask(token, response_format=kind), worker(damaged))
    assert (answer.status_code, answer["X-Parlance-Missing-Seconds"]) == (200, "12.500")
    if kind.endswith("json"):
        assert json.loads(answer.content)["missing_s"] == 12.5


@pytest.mark.parametrize(("missing_s", "told", "header"), [(7.0, 7.0, "7.000"), (None, None, "unknown")])
async def test_what_was_heard_before_a_recording_broke_off_is_answered(
    token: str, broker_sync: redis.Redis, missing_s: float | None, told: float | None, header: str
) -> None:
    def broken_off(upload: Upload) -> None:
        caption(upload)
        uploads.finish(upload.pk, seconds=2.0, missing_s=missing_s, failure=UploadFailure.CRASHED)
        uploads.fail(upload.pk, UploadFailure.CRASHED)

    answer, _ = await asyncio.gather(ask(token), worker(broken_off))
    assert (answer.status_code, answer["X-Parlance-Missing-Seconds"]) == (200, header)
    content = json.loads(answer.content)
    assert (content["text"], content["missing_s"]) == ("Good morning. Bom <dia>.", told)


async def test_what_our_side_cannot_caption_is_no_fault_of_the_file(token: str, broker_sync: redis.Redis) -> None:
    answer, _ = await asyncio.gather(
        ask(token), worker(lambda upload: uploads.fail(upload.pk, UploadFailure.SET_ASIDE))
    )
    error = json.loads(answer.content)["error"]
    assert (answer.status_code, error["type"], error["code"]) == (500, "server_error", "not_captioned")


async def test_webvtt_is_the_file_of_the_page(token: str, broker_sync: redis.Redis) -> None:
    answer, _ = await answered(token, response_format="vtt")
    assert [cue.text for cue in webvtt.from_string(answer.content.decode())] == ["Good morning.", "Bom &lt;dia&gt;."]


async def test_what_is_no_recording_is_told_and_deleted(token: str, broker_sync: redis.Redis) -> None:
    def fail(upload: Upload) -> None:
        uploads.fail(upload.pk, UploadFailure.UNREADABLE)

    answer, _ = await asyncio.gather(ask(token), worker(fail))
    error = json.loads(answer.content)["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "unreadable_file", "file")
    assert not await Meeting.objects.aexists()


async def purge(after: timedelta) -> None:
    await asyncio.to_thread(retention.purge, timezone.now() + after)


async def test_the_wait_is_bounded_and_a_retry_gets_the_finished_result(
    token: str, broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was done again by each of the two retries of OpenAI's client."""
    with monkeypatch.context() as patched:
        patched.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, api_wait_s=0.1))
        for _ in range(2):
            answer = await ask(token)
            assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (504, "timeout")
    meeting = await worker()
    await purge(timedelta(minutes=9))
    assert (await ask(token)).content.decode() == JSON
    assert not await Meeting.objects.aexists(), "nothing is kept after the answer"
    assert not upload_files.path(meeting.pk).exists()


async def test_who_goes_away_cancels_nothing_for_ten_minutes(token: str, broker_sync: redis.Redis) -> None:
    request = asyncio.create_task(ask(token))
    await until(Upload.objects.filter(state=UploadState.WAITING).exists)
    request.cancel()
    await asyncio.wait([request])
    await until(ApiJob.objects.filter(readers=0).exists)
    await purge(timedelta(minutes=9))
    answer, _ = await answered(token)
    assert answer.content.decode() == JSON
    assert not await Meeting.objects.aexists()


async def test_who_never_comes_back_leaves_nothing_after_ten_minutes(token: str, broker_sync: redis.Redis) -> None:
    request = asyncio.create_task(ask(token))
    await until(Upload.objects.filter(state=UploadState.WAITING).exists)
    request.cancel()
    await asyncio.wait([request])
    await until(ApiJob.objects.filter(readers=0).exists)
    await purge(timedelta(minutes=11))
    assert not await Meeting.objects.aexists()


async def test_requests_that_differ_or_are_anothers_are_not_joined(
    token: str, user: User, broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, api_wait_s=0.1))
    another = await asyncio.to_thread(create_token, user, "another")
    alike = {"model": "whisper-2", "temperature": "0.2"}
    for each, fields in ((token, {}), (token, alike), (token, {"prompt": "Ana"}), (token, {"language": "pt"})):
        assert (await ask(each, **fields)).status_code == 504
    assert (await ask(another)).status_code == 504
    assert await Meeting.objects.acount() == 4


async def test_requests_at_the_same_time_share_the_work(token: str, broker_sync: redis.Redis) -> None:
    both = asyncio.gather(ask(token), ask(token))
    await until(ApiJob.objects.filter(readers=2).exists)
    await worker()
    assert [answer.content.decode() for answer in await both] == [JSON, JSON]
    assert not await Meeting.objects.aexists()


async def test_other_pages_are_served_while_it_waits(token: str, broker_sync: redis.Redis) -> None:
    """A part of the chain that blocked Django's one thread would let nobody else in until the answer is there."""
    request = asyncio.create_task(ask(token))
    await until(Upload.objects.filter(state=UploadState.WAITING).exists)
    page = await asyncio.wait_for(AsyncClient().get("/login/"), 20)
    assert (page.status_code, request.done()) == (200, False)
    await worker()
    assert (await request).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=" + "b" * 5_000, b"x"),
        (
            "multipart/form-data; boundary=end",
            b"".join(b'--end\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n1\r\n' % n for n in range(2_000))
            + b"--end--\r\n",
        ),
    ],
    ids=["no boundary", "long boundary", "many fields"],
)
async def test_a_form_that_cannot_be_read_is_refused_as_programs_expect(
    token: str, broker_sync: redis.Redis, content_type: str, body: bytes
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer: Any = await AsyncClient().post(PATH, body, content_type=content_type, headers=headers)
    assert answer.status_code == 400
    error = json.loads(answer.content)["error"]
    assert (error["code"], error["type"]) == ("invalid_request", "invalid_request_error")
    assert error["message"].startswith("The form cannot be read: ")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"language": "klingon"}, "language"),
        ({"response_format": "docx"}, "response_format"),
        ({"timestamp_granularities[]": "syllable"}, "timestamp_granularities"),
        ({"languages[]": ["en", "klingon"]}, "languages"),
        ({"file": ""}, "file"),
    ],
)
async def test_odd_fields_are_refused_by_name(
    token: str, broker_sync: redis.Redis, fields: dict[str, str], param: str
) -> None:
    answer = await ask(token, **fields)
    error = json.loads(answer.content)["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert not await Meeting.objects.aexists()


async def test_keywords_and_possible_languages_are_taken(token: str, broker_sync: redis.Redis) -> None:
    lists = {"languages[]": ["pt-BR", "english"], "keywords[]": ["Ana", "Quintela"]}
    answer, meeting = await answered(token, prompt="About Zacarias", **lists)
    assert (answer.status_code, meeting.vocabulary) == (200, "About Zacarias, Ana, Quintela")
    assert (meeting.language, meeting.detectable_languages) == ("auto", ("en", "pt"))
    answer, meeting = await answered(token, **{"languages[]": "pt"})
    assert (answer.status_code, meeting.language, meeting.spoken_languages) == (200, "pt", [])


async def test_unknown_fields_are_refused_as_openai_does(token: str, broker_sync: redis.Redis) -> None:
    answer = await ask(token, langauge="pt")
    assert (answer.status_code, json.loads(answer.content)["error"]) == (
        400,
        {
            "message": "Unknown parameter: 'langauge'.", "type": "invalid_request_error", "param": "langauge",
            "code": "unknown_parameter",
        },
    )  # fmt: skip


class TestTokens:
    async def test_without_one_nothing_is_taken(self, user: User, token: str) -> None:
        for wrong in ("", "x", new_token(), token[:-1] + ("0" if token[-1] != "0" else "1")):
            answer = await ask(wrong)
            assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (401, "invalid_api_key")
        await AsyncClient().aforce_login(user)
        signed_in = AsyncClient()
        await signed_in.aforce_login(user)
        refused = await signed_in.post(PATH, {"file": SimpleUploadedFile("a.wav", b"x")})
        assert refused.status_code == 401, "a cookie does not count"

    def test_only_a_digest_is_stored(self, user: User, token: str) -> None:
        row = ApiToken.objects.get()
        assert token not in str(vars(row))
        assert is_well_made(token)
        assert user_of_token(token) == user
        assert ApiToken.objects.get().last_used_at is not None

    def test_a_revoked_one_and_one_of_a_disabled_user_open_nothing(self, user: User, token: str) -> None:
        user.is_active = False
        user.save()
        assert user_of_token(token) is None
        user.is_active = True
        user.save()
        ApiToken.objects.all().delete()
        assert user_of_token(token) is None


class TestFile:
    async def test_the_recording_is_written_where_it_stays(self, token: str, broker_sync: redis.Redis) -> None:
        """It was in /tmp twice, and copied from there."""
        folder = upload_files.folder()

        def look(upload: Upload) -> None:
            assert [path.name for path in folder.iterdir() if path.name.startswith(".incoming")] == []
            assert (folder / upload.pk).stat().st_mode & 0o777 == 0o600
            caption(upload)

        answer, _ = await asyncio.gather(ask(token), worker(look))
        assert answer.status_code == 200
        assert [path.name for path in folder.iterdir() if path.name.startswith(".incoming")] == []

    @pytest.mark.parametrize("fields", [{"language": "klingon"}, {"speed": "2"}])
    async def test_what_is_refused_leaves_nothing(
        self, token: str, broker_sync: redis.Redis, fields: dict[str, str]
    ) -> None:
        before = set(upload_files.folder().iterdir())
        assert (await ask(token, **fields)).status_code == 400
        assert set(upload_files.folder().iterdir()) == before

    async def test_a_disk_without_room_is_said(
        self, token: str, broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(upload_files, "DISK_RESERVE", 2**62)
        before = set(upload_files.folder().iterdir())
        answer = await ask(token)
        assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (507, "no_room")
        assert set(upload_files.folder().iterdir()) == before
        assert not await Meeting.objects.aexists()


class TestJobs:
    """Recordings whose result is fetched later."""

    async def begun(self, token: str, **fields: Any) -> str:
        data = {"file": SimpleUploadedFile("talk.wav", SOUND), "model": "whisper-1", **fields}
        headers = {"Authorization": f"Bearer {token}", "Prefer": "respond-async"}
        answer = await AsyncClient().post(PATH, data, headers=headers)
        assert (answer.status_code, answer["Preference-Applied"]) == (202, "respond-async")
        assert (answer["Retry-After"], json.loads(answer.content)["status"]) == ("5", "queued")
        return str(answer["Location"])

    async def fetched(self, token: str, address: str, method: str = "get") -> HttpResponse:
        send: Any = getattr(AsyncClient(), method)
        answer: HttpResponse = await send(address, headers={"Authorization": f"Bearer {token}"})
        return answer

    async def test_progress_then_the_result_as_often_as_it_is_wanted(
        self, token: str, broker_sync: redis.Redis
    ) -> None:
        address = await self.begun(token, response_format="text")
        job = await ApiJob.objects.aget()
        assert address == f"/v1/audio/jobs/{job.pk}"
        await Upload.objects.aupdate(state=UploadState.CAPTIONING, seconds=8.0)
        await Meeting.objects.aupdate(cursor=2 * 16_000)
        answer = await self.fetched(token, address)
        assert (answer.status_code, answer["Retry-After"]) == (202, "5")
        state = json.loads(answer.content)
        assert (state["status"], state["progress"], state["id"]) == ("in_progress", 0.25, job.pk)
        await Upload.objects.aupdate(state=UploadState.WAITING)
        await worker()
        for _ in range(2):
            answer = await self.fetched(token, address)
            assert (answer.status_code, answer.content.decode()) == (200, "Good morning. Bom <dia>.\n")
        await purge(timedelta(hours=23))
        assert (await self.fetched(token, address)).status_code == 200
        await purge(timedelta(hours=25))
        assert (await self.fetched(token, address)).status_code == 404

    async def test_a_client_that_would_rather_wait_a_little_may(self, token: str, broker_sync: redis.Redis) -> None:
        data = {"file": SimpleUploadedFile("talk.wav", SOUND), "model": "whisper-1"}
        headers = {"Authorization": f"Bearer {token}", "Prefer": "respond-async, wait=20"}
        answer, _ = await asyncio.gather(AsyncClient().post(PATH, data, headers=headers), worker())
        assert (answer.status_code, answer.content.decode()) == (200, JSON)

    async def test_one_that_somebody_begins_to_wait_for_comes_first(self, token: str, broker_sync: redis.Redis) -> None:
        await self.begun(token)
        assert not (await Upload.objects.aget()).is_awaited
        asked = asyncio.create_task(ask(token))
        await until(lambda: Upload.objects.filter(is_awaited=True).exists())
        await worker()
        assert (await asked).content.decode() == JSON

    async def test_a_failure_is_told_with_its_sentence(self, token: str, broker_sync: redis.Redis) -> None:
        address = await self.begun(token)
        await worker(lambda upload: uploads.fail(upload.pk, UploadFailure.UNREADABLE))
        answer = await self.fetched(token, address)
        error = json.loads(answer.content)["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "unreadable_file", "file")
        assert error["message"].startswith("There is no sound in this file")

    async def test_a_file_without_a_header_is_told_the_field(self, token: str, broker_sync: redis.Redis) -> None:
        address = await self.begun(token)
        await worker(lambda upload: uploads.fail(upload.pk, UploadFailure.NO_HEADER))
        error = json.loads((await self.fetched(token, address)).content)["error"]
        assert (error["param"], error["message"]) == (
            "input_format",
            "This file does not say how its sound is stored. Name it with input_format.",
        )

    async def test_deleting_cancels_it(self, token: str, broker_sync: redis.Redis) -> None:
        address = await self.begun(token)
        upload = await Upload.objects.aget()
        assert (await self.fetched(token, address, "delete")).status_code == 204
        assert not await Meeting.objects.aexists()
        assert not upload_files.path(upload.pk).exists()
        assert (await self.fetched(token, address, "delete")).status_code == 404

    async def test_another_token_finds_nothing(self, token: str, user: User, broker_sync: redis.Redis) -> None:
        address = await self.begun(token)
        another = await asyncio.to_thread(create_token, user, "another")
        for method in ("get", "delete"):
            answer = await self.fetched(another, address, method)
            assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (404, "job_not_found")
            assert (await self.fetched("", address, method)).status_code == 401
        assert (await self.fetched(token, address)).status_code == 202

    async def test_a_revoked_token_takes_its_jobs_along(self, token: str, broker_sync: redis.Redis) -> None:
        await self.begun(token)
        await asyncio.to_thread(ApiToken.objects.all().delete)
        assert not await Meeting.objects.aexists()

    @pytest.mark.parametrize("bound", ["MAX_UNFINISHED_OF_TOKEN", "MAX_JOBS_OF_TOKEN", "MAX_UNFINISHED"])
    async def test_so_many_and_no_more(
        self, token: str, broker_sync: redis.Redis, monkeypatch: pytest.MonkeyPatch, bound: str
    ) -> None:
        monkeypatch.setattr(api_jobs, bound, 1)
        await self.begun(token)
        answer = await ask(token, prompt="another")
        assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (429, "rate_limit_exceeded")
        assert await Meeting.objects.acount() == 1


class TestStream:
    async def events(self, token: str, **fields: Any) -> list[dict[str, Any]]:
        answer: Any = await ask(token, stream="true", **fields)
        assert (answer.status_code, answer["Content-Type"]) == (200, "text/event-stream")
        parts = "".join([part.decode() async for part in answer.streaming_content]).split("\n\n")
        return [json.loads(part.partition("data: ")[2]) for part in parts if "data: " in part]

    async def test_the_text_comes_as_it_grows(self, token: str, broker_sync: redis.Redis) -> None:
        events, _ = await asyncio.gather(self.events(token), worker())
        *deltas, done = events
        assert "".join(delta["delta"] for delta in deltas) == "Good morning. Bom <dia>."
        assert {delta["type"] for delta in deltas} == {"transcript.text.delta"}
        assert done == {"type": "transcript.text.done", "text": "Good morning. Bom <dia>."}
        assert not await Meeting.objects.aexists()

    async def test_a_failure_is_an_event(self, token: str, broker_sync: redis.Redis) -> None:
        fail = worker(lambda upload: uploads.fail(upload.pk, UploadFailure.UNREADABLE))
        [event], _ = await asyncio.gather(self.events(token), fail)
        assert event["error"]["code"] == "unreadable_file"


class TestTranslations:
    async def ask(self, token: str, **fields: Any) -> HttpResponse:
        data = {"file": SimpleUploadedFile("talk.wav", SOUND), "model": "whisper-1", **fields}
        headers = {"Authorization": f"Bearer {token}"}
        answer: Any = await AsyncClient().post("/v1/audio/translations", data, headers=headers)
        return answer

    @staticmethod
    def translated(upload: Upload) -> None:
        for number, (text, language, english) in enumerate(
            [("Good morning.", "en", ""), ("Bom dia.", "pt", "Good day."), ("Guten Tag.", "de", "")]
        ):
            caption = upload.meeting.captions.create(
                segment=str(number), utterance=str(number), seq=number + 1, start=number, end=number + 1,
                language=language, text=text, words=[],
            )  # fmt: skip
            if english:
                caption.translations.create(language="en", text=english)
        uploads.set_length(upload.pk, 3.0)
        Meeting.objects.filter(pk=upload.pk).update(state=State.ENDED)
        uploads.settle()

    async def test_everything_is_in_english_as_far_as_the_models_go(self, token: str, broker_sync: redis.Redis) -> None:
        answer, meeting = await asyncio.gather(self.ask(token, response_format="verbose_json"), worker(self.translated))
        assert meeting.languages == ["en"]
        content = json.loads(answer.content)
        assert (content["task"], content["language"]) == ("translate", "english")
        assert content["text"] == "Good morning. Good day. Guten Tag."
        assert [segment["language"] for segment in content["segments"]] == ["en", "en", "de"]
        assert answer["X-Parlance-Untranslated-Seconds"] == "1.000"

    async def test_what_cannot_be_translated_is_refused_and_never_passes_for_a_translation(
        self, token: str, broker_sync: redis.Redis
    ) -> None:
        answer = await self.ask(token, language="de")
        error = json.loads(answer.content)["error"]
        assert (answer.status_code, error["param"]) == (400, "language")
        assert error["message"] == "language: German is not available with the starter models."

        def german(upload: Upload) -> None:
            self.translated(upload)
            upload.meeting.captions.exclude(language="de").delete()

        answer, _ = await asyncio.gather(self.ask(token), worker(german))
        assert (answer.status_code, json.loads(answer.content)["error"]["code"]) == (400, "language_not_supported")


class TestModels:
    async def test_the_models_are_listed_and_found_by_name(self, token: str, broker_sync: redis.Redis) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        listed = json.loads((await AsyncClient().get("/v1/models", headers=headers)).content)
        assert [model["id"] for model in listed["data"]] == ["whisper-base", "whisper-1"]
        for model in listed["data"]:
            found = await AsyncClient().get(f"/v1/models/{model['id']}", headers=headers)
            assert json.loads(found.content) == model
        unknown = await AsyncClient().get("/v1/models/gpt-4o", headers=headers)
        assert (unknown.status_code, json.loads(unknown.content)["error"]["code"]) == (404, "model_not_found")
        assert (await AsyncClient().get("/v1/models")).status_code == 401


def test_languages_have_the_names_that_openai_gives() -> None:
    from transformers.models.whisper.tokenization_whisper import LANGUAGES as NAMES

    assert {code: api_results.openai_language(code) for code in LANGUAGES} == {code: NAMES[code] for code in LANGUAGES}


async def test_what_is_not_here_is_told_in_json() -> None:
    answer: Any = await AsyncClient().post("/v1/chat/completions", {"model": "x"}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_url")
    assert answer.json()["error"]["message"] == "There is no POST /v1/chat/completions here."


async def test_a_body_that_is_no_form_is_told_what_to_be(token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer: Any = await AsyncClient().post(PATH, {"file": "x"}, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
