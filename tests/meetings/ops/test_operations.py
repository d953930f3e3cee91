"""The operators' page: what it shows, to whom, and what it says when nobody answers."""

from __future__ import annotations

import asyncio
import html
import json
import re
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import redis
import redis.asyncio
import structlog
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from meetings.broker import commands
from meetings.broker.audio_log import ACTIVE, state_key
from meetings.broker.incidents import INCIDENTS, IncidentFile, read_incidents
from meetings.broker.leases import lease_key
from meetings.broker.pool_report import ModelReport, PoolReport, SwapReport, pool_report
from meetings.broker.worker_reports import REPORT_TTL_S, WorkerReport, file_report, read_reports, report_key
from meetings.models import LagSample, Meeting, Stage, StageFailure, State, Swap
from meetings.ops import operations
from meetings.store import stage_failures
from tests.inference.doubles import ScriptedTranscriber
from tests.meetings.doubles import SIZE, ScriptedSummarizer, scripted_pool
from tests.meetings.store.test_swaps import swapped
from tests.meetings.worker.test_summarize import working
from tests.meetings.worker.test_worker import until_async

PAGE, TELL = "/admin/operations/", "/admin/operations/tell"
log = structlog.get_logger("meetings.test_operations")
GIB = 2**30
RESIDENCY = PoolReport(
    device="cpu",
    budget=4 * GIB,
    plan="All models stay in memory (3.0 GiB of 4.0 GiB) and take turns.",
    state="transcription",
    models=(
        ModelReport("whisper-base", "transcription", "awake", GIB // 2, ("int8_float32",)),
        ModelReport("qwen", "summarization", "disk", 2 * GIB),
    ),
    swaps=(SwapReport("to summarization", "completed", 1.25),),
)
REPORT = WorkerReport(
    meetings=1, behind_s=2.5, captioned_s=60.0, compute_s=20.0, stage_s={"asr": 18.0}, residency=RESIDENCY
)


@pytest.mark.django_db(transaction=True)
class TestPage:
    async def test_shows_every_worker_and_where_its_models_are(
        self, broker: redis.asyncio.Redis, admin_client: Client
    ) -> None:
        await file_report(broker, "w1", REPORT)
        page = await ask(admin_client)
        rows = rows_of(page)
        assert ["whisper-base", "captions", "on the device", "0.5 GiB", "int8_float32"] in rows
        assert ["qwen", "summaries", "not loaded", "2.0 GiB", "–"] in rows
        for words in ("Worker w1", RESIDENCY.plan, "Budget 4.0 GiB", "Device cpu", "Largest delay 2.5 s"):
            assert words in text_of(page)

    async def test_sizes_are_written_as_the_reader_does(
        self, broker: redis.asyncio.Redis, admin_client: Client
    ) -> None:
        await file_report(broker, "w1", REPORT)
        admin_client.cookies["django_language"] = "pt"
        assert "0,5 GiB" in text_of(await ask(admin_client))

    async def test_shows_which_meetings_are_behind(self, broker: redis.asyncio.Redis, admin_client: Client) -> None:
        late = await Meeting.objects.acreate(title="<b>Late</b>", state=State.LIVE, cursor=16_000)
        await Meeting.objects.acreate(title="Over")
        await activate(broker, late, next_sample=80_000, phase="summarizing", worker="w1")
        page = await ask(admin_client)
        assert ["<b>Late</b>", "Live (summarizing)", "4.0 s", "w1"] in rows_of(page)
        assert "Over" not in text_of(page)

    async def test_without_workers_it_says_so(self, broker: redis.asyncio.Redis, admin_client: Client) -> None:
        assert "No inference worker is running." in text_of(await ask(admin_client))

    async def test_a_worker_of_an_older_version_is_shown(
        self, broker: redis.asyncio.Redis, admin_client: Client
    ) -> None:
        await file_report(broker, "old", replace(REPORT, residency=None))
        assert "Worker old" in text_of(await ask(admin_client))


@pytest.mark.django_db
class TestSwaps:
    def test_those_of_the_last_day_are_shown(self, broker_sync: redis.Redis, admin_client: Client) -> None:
        for reason, hours in (("no room", 2), ("damaged", 30)):
            row = Swap.objects.create(
                worker="w1",
                direction="to summarization",
                outcome="failed",
                reason=reason,
                seconds=1.5,
                gibibytes=0,
                gigabytes_per_s=0,
            )
            Swap.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(hours=hours))
        text = admin_client.get(PAGE).content.decode()
        assert text.count("no room") == 2, "among the failures, and among all"
        assert "damaged" not in text

    def test_a_broker_that_is_away_does_not_hide_them(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unreachable() -> redis.Redis:
            raise redis.ConnectionError("away")

        monkeypatch.setattr(operations, "connect_sync", unreachable)
        swapped("to transcription", 0, 3.25)
        Swap.objects.update(created_at=timezone.now())
        text = admin_client.get(PAGE).content.decode()
        assert "The broker does not answer" in text
        assert "<td>3.25</td>" in text

    def test_they_are_drawn(self, broker_sync: redis.Redis, admin_client: Client) -> None:
        swapped("to summarization", 1, 2.0)
        swapped("to transcription", 0, 4.0)
        Swap.objects.update(created_at=timezone.now())
        text = admin_client.get(PAGE).content.decode()
        assert re.findall(r'<rect class="(\w+)"[^>]* height="([\d.]+)"', text) == [("there", "35.0"), ("back", "70.0")]
        assert '<title id="swaps-title">Swaps over time</title>' in text
        assert "style=" not in text.partition("<svg")[2].partition("</svg>")[0], "the policy refuses inline styles"


@pytest.mark.django_db
def test_the_backlog_of_the_day_is_drawn_and_has_its_figures(broker_sync: redis.Redis, admin_client: Client) -> None:
    meeting = Meeting.objects.create(title="Late")
    moment = timezone.now() - timedelta(minutes=30)
    LagSample.objects.create(meeting=meeting, at=moment, behind_s=12.5)
    text = admin_client.get(PAGE).content.decode()
    assert '<title id="backlog-title">Backlog over time</title>' in text
    assert re.findall(r'<rect [^>]*y="0.0" width="12.0" height="120.0"><title>[0-9:]+: 12.5 s', text) != []
    assert [row[1] for row in rows_of(text) if re.fullmatch(r"\d\d:\d\d", row[0])] == ["12.5 s"]


@pytest.mark.django_db(transaction=True)
class TestIncidents:
    async def test_the_latest_are_shown_with_their_worker(
        self, broker: redis.asyncio.Redis, admin_client: Client
    ) -> None:
        async with IncidentFile(broker, "w1"):
            log.error("summaries_unavailable", error="<b>qwen</b> is missing")
        [row] = [row for row in rows_of(await ask(admin_client)) if "w1" in row]
        said = (
            "There is no model that writes summaries, or no room for it. <b>qwen</b> is missing summaries_unavailable"
        )
        assert row[1:] == ["w1", said, "1"]


@pytest.mark.django_db(transaction=True)
class TestSetAside:
    async def test_a_meeting_is_shown_and_tried_again(self, broker: redis.asyncio.Redis, admin_client: Client) -> None:
        failed = await Meeting.objects.acreate(title="<b>Odd</b>")
        for _ in range(stage_failures.MAX_STAGE_ATTEMPTS):
            await asyncio.to_thread(
                stage_failures.record_failure, failed.pk, Stage.CAPTIONS, position=0, error="builtins.RuntimeError"
            )
        rows = rows_of(await ask(admin_client))
        [row] = [row for row in rows if row[0] == "<b>Odd</b>"]
        assert (row[1], row[2], row[4]) == ("Captions", "Try again", "builtins.RuntimeError")
        answer = await asyncio.to_thread(
            lambda: admin_client.post("/admin/operations/try-again", {"meeting": failed.pk}, follow=True)
        )
        assert "The meeting is tried again." in text_of(answer.content.decode())
        assert await broker.smembers(ACTIVE) == {failed.pk.encode()}
        assert not await StageFailure.objects.aexists()

    async def test_nothing_is_shown_where_nothing_failed(
        self, broker: redis.asyncio.Redis, admin_client: Client
    ) -> None:
        assert "Set aside" not in text_of(await ask(admin_client))


class TestOtherVersions:
    """What a later version has put into the broker is read as far as it is known."""

    def test_reports_incidents_and_orders(self, broker_sync: redis.Redis) -> None:
        residency = {**asdict(RESIDENCY), "fans": 3, "models": [{**asdict(RESIDENCY.models[0]), "colour": "red"}]}
        report = {**asdict(REPORT), "mood": "good", "residency": residency}
        broker_sync.set(report_key("newer"), json.dumps(report))
        broker_sync.set(report_key("stranger"), json.dumps({"version": 9}))
        broker_sync.set(report_key("junk"), "not JSON")
        read = read_reports(broker_sync)
        assert set(read) == {"newer"}
        assert read["newer"].behind_s == REPORT.behind_s
        incident = {"at": 1.0, "worker": "w", "event": "of_a_later_version", "severity": 3}
        broker_sync.lpush(INCIDENTS, json.dumps(incident))
        assert read_incidents(broker_sync)[0].sentence == "Something went wrong; the log says what."

    async def test_an_order_that_is_not_known_is_not_done(self, broker: redis.asyncio.Redis) -> None:
        await broker.rpush("parlance:orders:w", json.dumps(["1", "dance", "now"]))
        assert await commands.receive(broker, "w", wait_s=0.1) is None
        await broker.rpush("parlance:orders:w", json.dumps(["2", "sleep", "softly"]))
        told = await commands.receive(broker, "w", wait_s=0.1)
        assert told is not None
        assert told.order is commands.Command.SLEEP


@pytest.mark.django_db(transaction=True)
class TestOrders:
    async def test_models_are_put_to_sleep_and_captions_restored(
        self, broker: redis.asyncio.Redis, admin_client: Client
    ) -> None:
        async with working(broker, ScriptedSummarizer):
            await until_async(lambda: broker.exists(report_key("worker")), 1)
            page = await tell(admin_client, "sleep")
            assert "Worker worker: the models sleep until the first sound." in text_of(page)
            assert "Active asleep" in text_of(page)
            assert re.search(r'value="sleep" disabled', page)
            page = await tell(admin_client, "restore")
            assert "Worker worker: captions are back." in text_of(page)
            assert "Active captions" in text_of(page)
            page = await tell(admin_client, "restore")
            assert "Worker worker: captions were there already." in text_of(page)

    @pytest.mark.parametrize(("worker", "order"), [("gone", "sleep"), ("w1", "explode"), ("", "")])
    async def test_what_makes_no_sense_is_told_to_nobody(
        self, broker: redis.asyncio.Redis, admin_client: Client, worker: str, order: str
    ) -> None:
        await file_report(broker, "w1", REPORT)
        page = await tell(admin_client, order, worker=worker)
        assert "There is no such worker any more." in text_of(page)
        assert await broker.keys("parlance:orders:*") == []

    async def test_a_worker_that_does_not_answer_is_named(
        self, broker: redis.asyncio.Redis, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(operations, "send", partial(commands.send, within_s=0.05))
        await file_report(broker, "w1", REPORT)
        assert "Worker w1 does not answer; nothing was done." in text_of(await tell(admin_client, "sleep", worker="w1"))

    async def test_every_answer_has_its_sentence(self) -> None:
        assert set(operations.RESULT_MESSAGES) == {*commands.CommandResult, None}


@pytest.mark.django_db
class TestWhoMayTell:
    def test_not_who_may_only_look(
        self, broker_sync: redis.Redis, client: Client, django_user_model: type[User]
    ) -> None:
        staff = django_user_model.objects.create_user("staff", is_staff=True)
        staff.user_permissions.set(Permission.objects.filter(codename__in=["view_swap", "view_meeting"]))
        client.force_login(staff)
        broker_sync.set(report_key("w1"), json.dumps(asdict(REPORT)))
        assert "Unload models" not in client.get(PAGE).content.decode()
        assert client.post(TELL, {"worker": "w1", "order": "sleep"}).status_code == 403
        staff.user_permissions.add(Permission.objects.get(codename="change_meeting"))
        assert "Unload models" in client.get(PAGE).content.decode()

    def test_nobody_without_signing_in(self, client: Client) -> None:
        assert client.post(TELL, {"worker": "w1", "order": "sleep"}).status_code == 302

    def test_nobody_from_another_page(self, admin_user: User) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(admin_user)
        assert strict.post(TELL, {"worker": "w1", "order": "sleep"}).status_code == 403

    def test_only_by_posting(self, admin_client: Client) -> None:
        assert admin_client.get(TELL).status_code == 405


@pytest.mark.django_db
class TestWhoMaySeeIt:
    def test_nobody_without_signing_in(self, client: Client) -> None:
        answer = client.get(PAGE)
        assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={PAGE}")

    def test_no_host(self, client: Client, django_user_model: type[User]) -> None:
        client.force_login(django_user_model.objects.create_user("host"))
        assert client.get(PAGE).status_code == 302

    def test_staff_with_the_right_to_see_swaps(
        self, broker_sync: redis.Redis, client: Client, django_user_model: type[User]
    ) -> None:
        staff = django_user_model.objects.create_user("staff", is_staff=True)
        client.force_login(staff)
        assert client.get(PAGE).status_code == 403
        assert PAGE not in client.get("/admin/").content.decode()
        staff.user_permissions.set(Permission.objects.filter(codename__in=["view_swap", "view_meeting"]))
        assert client.get(PAGE).status_code == 200
        assert PAGE in client.get("/admin/").content.decode()

    def test_it_is_only_read(self, admin_client: Client) -> None:
        assert admin_client.post(PAGE).status_code == 405


@pytest.mark.django_db(transaction=True)
class TestReport:
    async def test_arrives_as_it_was_filed(self, broker: redis.asyncio.Redis, broker_sync: redis.Redis) -> None:
        await file_report(broker, "w1", REPORT)
        assert read_reports(broker_sync) == {"w1": REPORT}
        assert 0 < broker_sync.ttl("parlance:report:w1") <= REPORT_TTL_S

    async def test_is_in_the_metrics(self, broker: redis.asyncio.Redis, admin_client: Client) -> None:
        await file_report(broker, "w1", REPORT)
        text = (await admin_client_get(admin_client, "/metrics")).content.decode()
        for line in (
            'parlance_model_bytes{model="whisper-base",where="awake",worker="w1"} 5.36870912e+08',
            'parlance_device_budget_bytes{device="cpu",worker="w1"} 4.294967296e+09',
            'parlance_swap_seconds{direction="to summarization",outcome="completed",worker="w1"} 1.25',
        ):
            assert line in text


def test_a_pool_is_reported_as_it_is() -> None:
    pool = scripted_pool(ScriptedTranscriber, ScriptedSummarizer)
    pool.start()
    pool.swap_to_summarization()
    told = pool_report(pool)
    assert (told.device, told.budget, told.plan, told.state) == ("cpu", SIZE, pool.plan.sentence, "summarization")
    assert [(model.label, model.where) for model in told.models] == [
        ("asr", "asleep"),
        ("speakers", "disk"),
        ("translation", "disk"),
        ("summary", "awake"),
    ]
    assert [(swap.direction, swap.outcome) for swap in told.swaps] == [("to summarization", "completed")]


async def tell(client: Client, order: str, *, worker: str = "worker") -> str:
    """Posts, and reads the page that follows."""
    answer = await asyncio.to_thread(client.post, TELL, {"worker": worker, "order": order}, follow=True)
    return str(answer.content.decode())


async def activate(broker: redis.asyncio.Redis, meeting: Meeting, *, next_sample: int, phase: str, worker: str) -> None:
    fields: dict[Any, Any] = {"next_sample": next_sample, "captioned": 0, "phase": phase}
    await broker.sadd(ACTIVE, meeting.pk)  # type: ignore[misc]
    await broker.hset(state_key(meeting.pk), mapping=fields)  # type: ignore[misc]
    await broker.set(lease_key(meeting.pk), worker)


async def ask(client: Client) -> str:
    return str((await admin_client_get(client, PAGE)).content.decode())


async def admin_client_get(client: Client, path: str) -> Any:
    """From a thread: pages that read rows must not run in the loop."""
    return await asyncio.to_thread(client.get, path)


def text_of(markup: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", markup).split()))


def rows_of(markup: str) -> list[list[str]]:
    """The cells of every row."""
    rows = re.findall(r"<tr>(.*?)</tr>", markup, re.DOTALL)
    return [[text_of(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]
