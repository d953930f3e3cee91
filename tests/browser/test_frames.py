"""Frames that the server has not confirmed: numbering, the browser's storage, and a link that breaks anywhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Error, Page

from meetings.accounts.link_tokens import storage_key
from meetings.models import Meeting

MODULES = """
    const { UnsavedFrames } = await import("/static/js/frames.js");
    const { FrameCipher } = await import("/static/js/frame-cipher.js");
    const { FrameStore } = await import("/static/js/frame-store.js");
    const { frame, valueOf } = await import("/tests/browser/scripted-server.js");
    const openStore = async (meeting, secret) => FrameStore.open(meeting, await FrameCipher.of(secret, meeting));
"""
OPEN = """
    const frames = new UnsavedFrames(await openStore("m", secret));
    await frames.restore();
    const append = (from, to) => { for (let value = from; value < to; value += 1) frames.append(frame(value)); };
    const held = async () => {
        const result = [];
        for (let id = frames.firstId; id < frames.nextId; id += 1) {
            if (frames.peek(id) === null) await frames.fetch(id);
            result.push([frames.numberOf(id), valueOf(frames.peek(id))]);
        }
        return result;
    };
"""


# What others find: the records as they are in the browser's storage.
RAW = """
    const settled = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const opened = indexedDB.open("parlance", 1);
    opened.onupgradeneeded = () => ["frames", "shifts"].forEach((name) => opened.result.createObjectStore(name));
    const database = await settled(opened);
    const records = () => database.transaction("frames", "readwrite").objectStore("frames");
"""


def key_of(meeting: str) -> str:
    return storage_key(Meeting(pk=meeting))


KEY = key_of("m")


def run(page: Page, body: str, key: str = KEY) -> Any:
    return page.evaluate(f"async (secret) => {{ {MODULES} {body} }}", key)


def evaluate(page: Page, body: str, key: str = KEY) -> Any:
    """Behind `OPEN`."""
    return run(page, f"{OPEN} {body}", key)


def test_numbers_start_where_the_server_is(page: Page) -> None:
    held = evaluate(page, "append(0, 3); frames.resume(7); return held();")
    assert held == [[7, 0], [8, 1], [9, 2]]


def test_confirmed_frames_go(page: Page) -> None:
    held = evaluate(page, "append(0, 5); frames.resume(0); frames.acknowledge(2); return held();")
    assert held == [[3, 3], [4, 4]]


def test_a_confirmation_from_nowhere_takes_only_what_is_there(page: Page) -> None:
    assert evaluate(page, "append(0, 2); frames.resume(0); frames.acknowledge(99); return frames.nextId;") == 2


def test_after_a_cut_what_arrived_is_not_sent_again(page: Page) -> None:
    body = """append(0, 6); frames.resume(0); frames.markSent(6);
        frames.acknowledge(1); const lost = frames.resume(4); return [lost, await held()];"""
    assert evaluate(page, body) == [0, [[4, 4], [5, 5]]]


def test_what_the_server_confirmed_and_lost_is_counted(page: Page) -> None:
    body = """append(0, 6); frames.resume(0); frames.acknowledge(3);
        const lost = frames.resume(1); return [lost, await held()];"""
    assert evaluate(page, body) == [3, [[1, 4], [2, 5]]]


def test_unsent_frames_survive_another_page_that_wrote_on(page: Page) -> None:
    body = """append(0, 6); frames.resume(0); frames.markSent(2);
        const lost = frames.resume(50); return [lost, await held()];"""
    assert evaluate(page, body) == [0, [[50, 2], [51, 3], [52, 4], [53, 5]]]


def test_frames_come_back_after_a_reload(page: Page) -> None:
    evaluate(page, "append(0, 30); frames.resume(100); frames.acknowledge(104); await frames.persist();")
    page.reload()
    held = evaluate(page, "append(30, 32); frames.resume(105); return held();")
    assert held == [[100 + value, value] for value in range(5, 32)]


def test_renumbered_frames_keep_their_numbers_after_a_reload(page: Page) -> None:
    evaluate(page, "append(0, 3); frames.resume(0); await frames.persist(); frames.acknowledge(0); frames.resume(0);")
    page.reload()
    assert evaluate(page, "return [frames.resume(0), await held()];") == [0, [[0, 1], [1, 2]]]


def test_nothing_comes_back_once_it_is_confirmed(page: Page) -> None:
    evaluate(
        page, "append(0, 30); frames.resume(0); await frames.persist(); frames.acknowledge(29); await frames.tidy();"
    )
    page.reload()
    assert evaluate(page, "return [frames.length, frames.shift];") == [0, None]


def test_frames_confirmed_during_a_write_do_not_come_back(page: Page) -> None:
    evaluate(
        page,
        """append(0, 30); frames.resume(0); const writing = frames.persist(); frames.acknowledge(9); await writing;
        append(30, 40); await frames.persist();""",
    )
    page.reload()
    assert evaluate(page, "frames.resume(10); return held();") == [[value, value] for value in range(10, 40)]


def test_ended_meetings_leave_nothing_behind(page: Page) -> None:
    evaluate(page, "append(0, 30); frames.resume(0); await frames.persist(); await frames.clear();")
    page.reload()
    assert evaluate(page, "return frames.length;") == 0


def test_a_long_absence_stays_out_of_memory_and_in_order(page: Page) -> None:
    body = """append(0, 1500); frames.resume(0); await frames.persist();
        const inMemory = frames.frames.filter((pcm) => pcm !== null).length;
        return [inMemory, (await held()).map(([, value]) => value)];"""
    in_memory, values = evaluate(page, body)
    assert in_memory == 600
    assert values == list(range(1500))


def test_without_storage_everything_stays_in_memory(page: Page) -> None:
    body = """const bare = new UnsavedFrames(null); await bare.restore();
        for (let value = 0; value < 700; value += 1) bare.append(frame(value));
        await bare.persist(); await bare.clear(); return bare.length;"""
    assert evaluate(page, body) == 0


class TestEncryption:
    """What waits in the browser's storage is nobody's to hear but the meeting's host."""

    SPOKEN = "const spoken = (value) => new TextEncoder().encode(`word ${value} `.repeat(400)).buffer;"

    def test_records_hold_nothing_of_the_sound(self, page: Page) -> None:
        body = f"""{OPEN} {RAW} {self.SPOKEN}
            for (let value = 0; value < 30; value += 1) frames.append(spoken(value));
            frames.resume(0); await frames.persist();
            return (await settled(records().getAll())).map(({{ iv, sealed, ...others }}) => [
                String(iv), sealed.byteLength, new TextDecoder("latin1").decode(sealed), Object.keys(others)]);"""
        found = run(page, body)
        lengths = [len(f"word {value} ") * 400 + 16 for value in range(30)]
        assert [length for _, length, _, _ in found] == lengths, "the sound and AES-GCM's tag of 16 bytes"
        assert len({iv for iv, _, _, _ in found}) == 30
        assert [text for _, _, text, _ in found if re.search(r"word \d", text)] == []
        assert [others for _, _, _, others in found if others] == []

    def test_another_key_is_an_error_that_loses_nothing(self, page: Page) -> None:
        evaluate(page, "append(0, 30); frames.resume(5); await frames.persist();")
        page.reload()
        with pytest.raises(Error, match="WrongKeyError: frame 0 of m does not open with this page's key"):
            evaluate(page, "", key_of("another"))
        assert evaluate(page, "frames.resume(5); return held();") == [[5 + value, value] for value in range(30)]

    @pytest.mark.parametrize("place", ['["m", 1]', '["n", 0]'])
    def test_a_frame_opens_in_its_own_place_alone(self, page: Page, place: str) -> None:
        evaluate(page, "append(0, 1); frames.resume(0); await frames.persist();")
        body = f"""{RAW} const [meeting, id] = {place};
            const record = await settled(records().get(["m", 0]));
            await settled(records().put(record, [meeting, id]));
            return (await openStore(meeting, secret)).fetch(id, 1);"""
        with pytest.raises(Error, match="WrongKeyError"):
            run(page, body)

    def test_sound_of_before_the_encryption_is_sent_with_the_rest(self, page: Page) -> None:
        old = """for (let id = 7; id < 12; id += 1) await settled(records().put(frame(id), ["m", id]));
            await settled(database.transaction("shifts", "readwrite").objectStore("shifts").put(100, "m"));"""
        run(page, f"{RAW} {old}")
        page.reload()
        body = "frames.resume(107); append(12, 15); await frames.persist(); return held();"
        assert evaluate(page, body) == [[100 + value, value] for value in range(7, 15)]
        page.reload()
        assert evaluate(page, "frames.resume(107); return held();") == [[100 + value, value] for value in range(7, 15)]

    def test_what_is_sealed_is_written_before_the_next_task(self, page: Page) -> None:
        """A page that is being closed has none: microtasks are all that still runs there."""
        body = """append(0, 30); frames.resume(0); await Promise.all(frames.store.prepared.values());
            const calls = [];
            const { put } = IDBObjectStore.prototype, { commit } = IDBTransaction.prototype;
            IDBObjectStore.prototype.put = function (...row) { calls.push(this.name); return put.apply(this, row); };
            IDBTransaction.prototype.commit = function () { calls.push("commit"); return commit.apply(this); };
            frames.persist();
            for (let turn = 0; turn < 10; turn += 1) await null;
            return calls;"""
        assert evaluate(page, body) == [*["frames"] * 30, "shifts", "commit"]

    def test_a_confirmed_frame_is_not_kept_for_a_later_write(self, page: Page) -> None:
        body = """append(0, 30); frames.resume(0); frames.acknowledge(9);
            await Promise.all(frames.store.prepared.values());
            return [...frames.store.prepared.keys()];"""
        assert evaluate(page, body) == list(range(10, 30))


CRASH = """
    const { CapturedCount } = await import("/static/js/captured-count.js");
    const { FrameSender } = await import("/static/js/frame-sender.js");
    const { ScriptedServer } = await import("/tests/browser/scripted-server.js");
    const pageOf = async (server) => {
        const frames = new UnsavedFrames(await openStore("crash", secret));
        await frames.restore();
        return { frames, sender: new FrameSender(server, frames, new CapturedCount("crash")) };
    };
    const server = new ScriptedServer(() => 0);
    server.open();
    const first = await pageOf(server);
    server.open();
    for (let value = 0; value < 10; value += 1) first.sender.append(frame(value));
    server.deliver();
    server.cut();
    for (let value = 10; value < 25; value += 1) first.sender.append(frame(value));
    await first.frames.persist();
    for (let value = 25; value < 30; value += 1) first.sender.append(frame(value));
    // The page dies: frames 25 to 29 were in its memory only.
    const again = new ScriptedServer(() => 0);
    again.stored = [...server.stored];
    const second = await pageOf(again);
    second.sender.append(frame(30));
    again.open();
    while (second.frames.length > 0) {
        await new Promise((resolve) => setTimeout(resolve));
        again.deliver();
    }
    return { stored: again.stored, missing: again.missing };
"""


def test_what_dies_with_the_page_is_told_in_seconds(page: Page) -> None:
    result = run(page, CRASH, key_of("crash"))
    assert result["stored"] == [*range(25), 30]
    assert result["missing"] == [0.5]


ANY_CUTS = """
    const { CapturedCount } = await import("/static/js/captured-count.js");
    const { FrameSender } = await import("/static/js/frame-sender.js");
    const { generator, ScriptedServer } = await import("/tests/browser/scripted-server.js");
    const turn = () => new Promise((resolve) => setTimeout(resolve));
    const results = [];
    for (const seed of seeds) {
        const random = generator(seed);
        const server = new ScriptedServer(random);
        const frames = new UnsavedFrames(await openStore(`seed-${seed}`, secret));
        const sender = new FrameSender(server, frames, new CapturedCount(`seed-${seed}`));
        let captured = 0;
        for (let step = 0; step < 120; step += 1) {
            const dice = random();
            if (dice < 0.5) for (let n = Math.floor(random() * 40); n > 0; n -= 1) sender.append(frame(captured++));
            else if (dice < 0.6 && !server.isOpen) server.open();
            else if (dice < 0.65 && server.isOpen) server.cut();
            else if (dice < 0.7) await frames.persist();
            else if (dice < 0.72) await frames.tidy();
            else if (server.isOpen) server.deliver();
            if (random() < 0.3) await turn();
        }
        if (!server.isOpen) server.open();
        // Few turns: a sender that stands still until its watchdog wakes it has a fault.
        let turns = 0;
        for (; frames.length > 0 && turns < 500; turns += 1) { await turn(); server.deliver(); }
        results.push({ turns, captured, stored: server.stored, missing: server.missing, most: server.mostInFlight });
    }
    return results;
"""


@pytest.mark.parametrize("first", [0, 10, 20])
def test_wherever_the_link_breaks_every_frame_arrives_once_and_in_order(page: Page, first: int) -> None:
    seeds = list(range(first, first + 10))
    for result in run(page, f"const seeds = {seeds}; {ANY_CUTS}", key_of("seeds")):
        assert result["stored"] == list(range(result["captured"]))
        assert result["missing"] == []
        assert result["turns"] < 500
        assert result["most"] <= 40
