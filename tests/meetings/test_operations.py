"""The operators' page: what it shows, to whom, and what it says when nobody answers."""

from __future__ import annotations

import asyncio
import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
import redis.asyncio
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from meetings import operations
from meetings.audiolog import ACTIVE, state_key
from meetings.leases import lease_key
from meetings.metrics import REPORT_TTL_S, WorkerReport, file_report, read_reports
from meetings.models import Meeting, State, Swap
from meetings.residency import ModelPlace, Residency, SwapSeconds, residency_of
from tests.inference.doubles import ScriptedTranscriber
from tests.meetings.doubles import SIZE, ScriptedSummarizer, scripted_pool
from tests.meetings.test_swaps import swapped

PAGE = "/admin/operations/"
GIB = 2**30
RESIDENCY = Residency(
    device="cpu",
    budget=4 * GIB,
    plan="All models stay in memory (3.0 GiB of 4.0 GiB) and take turns.",
    state="transcription",
    models=(
        ModelPlace("whisper-base", "transcription", "awake", GIB // 2),
        ModelPlace("qwen", "summarization", "disk", 2 * GIB),
    ),
    swaps=(SwapSeconds("to summarization", "completed", 1.25),),
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
        assert ["whisper-base", "transcription", "on the device", "0.5 GiB"] in rows
        assert ["qwen", "summarization", "not loaded", "2.0 GiB"] in rows
        for words in ("Worker w1", RESIDENCY.plan, "Budget 4.0 GiB", "Device cpu", "Furthest behind 2.5 s"):
            assert words in text_of(page)

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
    told = residency_of(pool)
    assert (told.device, told.budget, told.plan, told.state) == ("cpu", SIZE, pool.plan.sentence, "summarization")
    assert [(model.label, model.where) for model in told.models] == [("asr", "asleep"), ("summary", "awake")]
    assert [(swap.direction, swap.outcome) for swap in told.swaps] == [("to summarization", "completed")]


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
