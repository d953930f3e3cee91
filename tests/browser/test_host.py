"""The host page, with Chromium's own fake microphone (a tone twice a second) and a scripted server."""

from __future__ import annotations

import json
import struct

import pytest
from playwright.sync_api import Locator, Page, expect

from meetings.models import Meeting
from tests.browser.accessibility import violations
from tests.browser.scripted import POLL_MS, ScriptedIngest, caption, hello, ledger, notice, ready, speaker
from tests.browser.steps import ask_to_end, start_captions

FRAME_BYTES = 4 + 3_200


STORED = """async (lengths) => {
    const settled = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
    const database = await settled(indexedDB.open("parlance", 1));
    const frames = database.transaction("frames", "readwrite").objectStore("frames");
    const { iv, sealed } = lengths ?? {};
    if (lengths) frames.put({ iv: new Uint8Array(iv), sealed: new ArrayBuffer(sealed) }, ["scripted", 0]);
    return settled(frames.count());
}"""
"""How many frames the browser keeps, with one of another key where its lengths are given."""


@pytest.fixture
def server(page: Page) -> ScriptedIngest:
    return ScriptedIngest(page)


@pytest.fixture
def host(page: Page, module_server: str, server: ScriptedIngest) -> Page:
    server.open_host(module_server)
    server.say(ready(), hello(state="waiting"))
    return page


class TestCapture:
    def test_asks_whether_people_know_before_it_listens(self, host: Page, server: ScriptedIngest) -> None:
        host.get_by_role("button", name="Start captions").click()
        expect(host.get_by_role("heading", name="Has everyone been told?")).to_be_visible()
        host.get_by_role("button", name="Not yet").click()
        assert not any(isinstance(message, bytes) for message in server.received)

    def test_frames_are_numbered_whole_and_in_order(self, host: Page, server: ScriptedIngest) -> None:
        start_captions(host)
        server.wait_for_frames(12)
        frames = [message for message in server.received if isinstance(message, bytes)]
        assert [struct.unpack(">I", frame[:4])[0] for frame in frames] == list(range(len(frames)))
        assert {len(frame) for frame in frames} == {FRAME_BYTES}
        assert any(any(frame[4:]) for frame in frames), "the fake microphone beeps; digital silence came"
        expect(host.get_by_role("meter")).not_to_have_attribute("aria-valuetext", "off")

    def test_goes_on_where_the_meeting_stands(self, page: Page, module_server: str, server: ScriptedIngest) -> None:
        server.next_frame = 600
        server.open_host(module_server)
        server.say(ready(600), hello(state="live"))
        start_captions(page)
        server.wait_for_frames(605)
        expect(page.locator("[data-figure=captured]")).to_have_text("1:00")

    def test_pause_stops_the_frames_and_resume_goes_on(self, host: Page, server: ScriptedIngest) -> None:
        start_captions(host)
        server.wait_for_frames(5)
        host.get_by_role("button", name="Pause").click()
        server.wait_for_word("pause")
        paused_at = server.next_frame
        host.get_by_role("button", name="Resume").click()
        server.wait_for_word("resume")
        server.wait_for_frames(paused_at + 3)
        words = [m["type"] for m in server.received if not isinstance(m, bytes) and m["type"] != "seen"]
        assert words == ["resume", "pause", "resume"]

    def test_end_comes_after_every_frame(self, host: Page, server: ScriptedIngest) -> None:
        start_captions(host)
        server.wait_for_frames(5)
        server.is_silent = True
        ask_to_end(host)
        expect(host.locator("[data-progress]")).to_contain_text("Keep this page open.")
        assert {"type": "end"} not in server.received
        server.is_silent = False
        unread = [message for message in server.received if isinstance(message, bytes)]
        server.next_frame = struct.unpack(">I", unread[-1][:4])[0] + 1
        server.say({"type": "ack", "frame": server.next_frame - 1})
        server.wait_for_word("end")
        server.say(notice("ended"))
        server.close(1000)
        expect(host.get_by_role("heading", name="The meeting has ended")).to_be_visible()
        expect(host.get_by_role("button", name="Start captions")).to_be_hidden()

    def test_ends_for_everyone_only_when_it_is_confirmed(self, host: Page, server: ScriptedIngest) -> None:
        start_captions(host)
        expect(host.get_by_role("button", name="Pause")).to_be_focused()
        end = host.get_by_role("button", name="End meeting")
        for refuse in ("Enter", "Escape"):
            end.focus()
            host.keyboard.press("Enter")
            expect(host.get_by_role("button", name="Keep going")).to_be_focused()
            expect(host.get_by_role("dialog")).to_contain_text("Viewers keep the transcript.")
            host.keyboard.press(refuse)
            expect(end).to_be_focused()
        server.wait_for_frames(3)
        assert {"type": "end"} not in server.received
        ask_to_end(host)
        server.wait_for_word("end")
        server.say(notice("ended"))
        expect(host.get_by_role("heading", name="The meeting has ended")).to_be_focused()

    def test_a_meeting_that_another_page_ended_is_not_asked_about(self, host: Page, server: ScriptedIngest) -> None:
        start_captions(host)
        host.get_by_role("button", name="End meeting").click()
        server.say(notice("ended"))
        expect(host.get_by_role("heading", name="The meeting has ended")).to_be_visible()
        expect(host.get_by_role("dialog")).to_have_count(0)


class TestCut:
    def test_unconfirmed_frames_are_sent_again(self, host: Page, server: ScriptedIngest) -> None:
        start_captions(host)
        server.wait_for_frames(5)
        server.close(1012)
        server.wait_for_socket(2)
        kept = server.next_frame
        server.say(ready(kept), hello(state="live"))
        server.wait_for_frames(kept + 10)
        frames = [message for message in server.received if isinstance(message, bytes)]
        numbers = [struct.unpack(">I", frame[:4])[0] for frame in frames]
        assert sorted(set(numbers)) == list(range(max(numbers) + 1))

    def test_sound_survives_a_reload(self, host: Page, server: ScriptedIngest) -> None:
        start_captions(host)
        server.wait_for_frames(3)
        server.is_silent = True
        expect(host.locator("[data-unsaved]")).to_contain_text("4 s are kept in this page", timeout=15_000)
        host.on("dialog", lambda dialog: dialog.accept())
        host.reload()
        server.is_silent = False
        server.wait_for_socket(2)
        server.say(ready(server.next_frame), hello(state="live"))
        captured = int(host.evaluate("localStorage.getItem('parlance.captured.scripted')"))
        assert captured >= 35
        server.wait_for_frames(captured)
        assert [m for m in server.received if not isinstance(m, bytes) and m["type"] == "missing"] == []

    def test_sound_that_does_not_open_is_told_and_left_until_the_end(self, host: Page, server: ScriptedIngest) -> None:
        assert host.evaluate(STORED, {"iv": 12, "sealed": 3_216}) == 1
        host.reload()
        server.wait_for_socket(2)
        server.say(ready(), hello(state="live"))
        expect(host.get_by_role("alert")).to_contain_text("Unsaved sound of an earlier page does not open")
        start_captions(host)
        server.is_silent = True
        expect(host.locator("[data-unsaved]")).to_contain_text("3 s are kept in this page", timeout=15_000)
        assert host.evaluate(STORED, None) == 1
        server.say(notice("ended"))
        while host.evaluate(STORED, None) > 0:
            host.wait_for_timeout(POLL_MS)

    def test_another_page_may_take_over(self, host: Page, server: ScriptedIngest) -> None:
        server.say({"type": "error", "code": "another_host", "message": "Another host is live in this meeting."})
        server.close(4409)
        expect(host.locator("[data-connection]")).to_have_text("Hosted from another page")
        host.get_by_role("button", name="Take over here").click()
        assert server.wait_for_socket(2)["takeover"] == "1"
        server.say(ready(), hello(state="live"))
        expect(host.locator("[data-connection]")).to_have_text("Live")
        server.wait_for_frames(3)
        server.close(1012)
        assert "takeover" not in server.wait_for_socket(3)

    def test_a_paused_meeting_that_is_taken_over_stays_paused(self, host: Page, server: ScriptedIngest) -> None:
        server.close(4409)
        host.get_by_role("button", name="Take over here").click()
        server.wait_for_socket(2)
        server.say(ready(), hello(state="paused"))
        expect(host.get_by_role("button", name="Resume")).to_be_enabled()
        expect(host.get_by_role("alert")).to_be_hidden()

    def test_a_reload_in_mid_meeting_says_that_nobody_is_heard(self, host: Page, server: ScriptedIngest) -> None:
        server.say(hello(state="live"))
        expect(host.get_by_role("alert")).to_contain_text("Nobody is heard")
        start_captions(host)
        server.wait_for_frames(1)
        expect(host.get_by_role("alert")).to_be_hidden()

    def test_without_a_link_the_host_reads_that_what_is_said_is_kept(self, host: Page, server: ScriptedIngest) -> None:
        start_captions(host)
        server.wait_for_frames(2)
        server.say(notice("catching_up"))
        server.close(1012)
        expect(host.locator("[data-notice]")).to_contain_text("What is said is kept in this page")

    def test_a_host_that_is_pushed_out_is_told_loudly(self, host: Page, server: ScriptedIngest) -> None:
        start_captions(host)
        server.wait_for_frames(2)
        server.close(4409)
        expect(host.get_by_role("alert")).to_contain_text("Another page took over")
        expect(host.get_by_role("button", name="Start captions")).to_be_hidden()
        expect(host.get_by_role("button", name="Take over here")).to_be_visible()

    def test_a_tab_keeps_its_name_through_a_reload(self, host: Page, server: ScriptedIngest) -> None:
        first = server.wait_for_socket(1)
        server.close(1012)
        back = server.wait_for_socket(2)
        assert (back["session"], back["page"]) == (first["session"], first["page"])
        host.reload()
        reloaded = server.wait_for_socket(3)
        assert reloaded["session"] == first["session"]
        assert reloaded["page"] != first["page"], (
            "a duplicated tab has the session too, so a page has a name of its own"
        )


class TestAlarm:
    def test_a_part_that_cannot_be_loaded_is_told(self, host: Page) -> None:
        host.evaluate(
            "() => { AudioWorklet.prototype.addModule = async () => { throw new DOMException('', 'AbortError'); }; }"
        )
        host.get_by_role("button", name="Start captions").click()
        host.get_by_role("button", name="Yes, start captions").click()
        expect(host.get_by_role("alert")).to_contain_text("A part of this page could not be loaded.")
        expect(host.get_by_role("button", name="Start captions")).to_be_enabled()

    @pytest.mark.parametrize(
        ("name", "words"),
        [("NotAllowedError", "was not allowed to listen"), ("NotFoundError", "No microphone was found")],
    )
    def test_says_why_there_is_no_microphone(self, host: Page, name: str, words: str) -> None:
        host.evaluate(
            "(name) => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', name); }; }",
            name,
        )
        host.get_by_role("button", name="Start captions").click()
        host.get_by_role("button", name="Yes, start captions").click()
        expect(host.get_by_role("alert")).to_contain_text(words)
        expect(host.get_by_role("button", name="Start captions")).to_be_enabled()

    def test_long_silence_is_told(self, page: Page) -> None:
        heard = page.evaluate(
            """async () => {
                const { peakDb, SilenceWatch } = await import("/static/js/level.js");
                const watch = new SilenceWatch();
                const silence = peakDb(new Int16Array(1600));
                const word = peakDb(new Int16Array(1600).fill(3000));
                const first = Array.from({ length: 99 }, () => watch.hears(silence));
                return [first.includes(true), watch.hears(silence), watch.hears(word), watch.hears(silence)];
            }"""
        )
        assert heard == [False, True, False, False]


class TestLedger:
    def test_shows_every_figure(self, host: Page, server: ScriptedIngest) -> None:
        figures = {"captured_s": 75.0, "durable_s": 75.0, "captioned_s": 70.4, "behind_s": 4.6, "missing_s": 1.5}
        server.say({"type": "ledger", **figures})
        expect(host.locator("[data-figure=durable]")).to_have_text("1:15")
        shown = host.locator("[data-figure]").all_inner_texts()
        assert shown == ["1:15", "1:15", "1:10", "5 s", "1.5 s"]
        assert host.locator("[data-bad=true]").count() == 1


class TestFolds:
    """What stands below Start."""

    @pytest.fixture
    def host(self, page: Page, module_server: str, server: ScriptedIngest) -> Page:
        server.open_host(module_server, folded=True)
        server.say(ready(), hello(state="waiting"))
        expect(page.locator("[data-connection]")).to_have_text("Ready to start")
        return page

    def test_is_folded_until_the_host_opens_it_and_stays_so(self, host: Page, server: ScriptedIngest) -> None:
        assert open_folds(host) == []
        assert host.get_by_role("button", name="Start captions").is_visible()
        host.locator("[data-fold=spoken] summary").focus()
        host.keyboard.press("Enter")
        expect(host.get_by_label("Spoken language")).to_be_visible()
        host.reload()
        server.wait_for_socket(2)
        expect(host.get_by_label("Spoken language")).to_be_visible()
        assert violations(host) == []

    def test_opens_where_something_wants_to_be_seen(self, host: Page, server: ScriptedIngest) -> None:
        server.say(ledger(detected_language="pt"))
        expect(host.get_by_text("This sounds like Portuguese. Switch?")).to_be_visible()
        assert open_folds(host) == ["spoken"]
        server.say(ledger(missing_s=2.0))
        expect(host.locator("[data-figure=missing]")).to_be_visible()
        server.say(ledger(missing_s=2.0, summary_trouble="The summary was put off.", retry_summary_s=30.0))
        expect(host.get_by_text("The summary was put off.")).to_be_visible()
        server.say(speaker(1), {"type": "error", "code": "unfit_correction", "message": "Not made."})
        expect(host.get_by_text("Not made.")).to_be_visible()
        assert open_folds(host) == ["summary", "spoken", "speakers", "ledger"]

    def test_what_the_host_has_folded_is_opened_by_no_news(self, host: Page, server: ScriptedIngest) -> None:
        server.say(speaker(1))
        expect(host.get_by_label("Name of Speaker 1")).to_be_visible()
        host.locator("[data-fold=speakers] summary").click()
        host.reload()
        server.wait_for_socket(2)
        server.say(ready(), hello(state="live", speakers=(speaker(1), speaker(2))))
        expect(host.locator("[data-speaker-total]")).to_have_text("2")
        assert open_folds(host) == []

    def test_sharing_stands_beside_the_title_once_captions_run(self, host: Page, server: ScriptedIngest) -> None:
        link, code = host.get_by_label("Link for viewers"), host.locator("[data-join-code]")
        title = host.get_by_role("heading", level=1)
        expect(link).to_be_in_viewport()
        assert top(code) > top(title)
        start_captions(host)
        server.say(notice("live"))
        expect(link).not_to_be_in_viewport()
        assert top(code) == pytest.approx(top(title), abs=12)
        link.focus()
        expect(link).to_be_in_viewport()


def open_folds(page: Page) -> list[str]:
    """Names, in their order on the page."""
    names: list[str] = page.locator("details[data-fold][open]").evaluate_all("(all) => all.map((f) => f.dataset.fold)")
    return names


def top(part: Locator) -> float:
    return (part.bounding_box() or {})["y"]


class TestPage:
    def test_host_reads_along(self, host: Page, server: ScriptedIngest) -> None:
        server.say(caption(1, "Good morning."))
        expect(host.locator("[data-captions] .final")).to_have_text(["Good morning."])

    @pytest.mark.parametrize("size", [(1280, 800), (390, 844), (844, 390), (320, 568)])
    def test_qr_card_fits_any_window(
        self, page: Page, module_server: str, server: ScriptedIngest, size: tuple[int, int]
    ) -> None:
        """A reader in the last row needs all of it at once: the QR code, where to go, and the code."""
        page.set_viewport_size({"width": size[0], "height": size[1]})
        server.open_host(module_server, meeting=Meeting(pk="scripted", title="Budget of the coming year, " * 4))
        server.say(ready(), hello(state="waiting"))
        page.get_by_role("button", name="QR card").click()
        card = page.get_by_role("dialog")
        assert card.bounding_box() == {"x": 0, "y": 0, "width": size[0], "height": size[1]}
        for part in (card.get_by_role("img"), card.get_by_text("captions.example.org"), card.get_by_text("7K0-1MZ")):
            expect(part).to_be_in_viewport(ratio=1)
        assert card.evaluate("(card) => card.scrollWidth - card.clientWidth") == 0
        page.keyboard.press("Escape")
        expect(card).to_be_hidden()

    def test_a_link_for_this_machine_alone_is_told_where_it_is_shared(
        self, page: Page, module_server: str, server: ScriptedIngest
    ) -> None:
        server.open_host(module_server, is_loopback=True)
        expect(page.get_by_text("Others cannot open this link").filter(visible=True)).to_have_count(1)
        page.get_by_role("button", name="QR card").click()
        expect(page.get_by_role("dialog").get_by_text("Others cannot open this link")).to_be_visible()

    @pytest.mark.parametrize("width", [320, 390, 1280])
    def test_fits_the_window(self, host: Page, width: int) -> None:
        host.set_viewport_size({"width": width, "height": 700})
        assert host.evaluate("document.documentElement.scrollWidth") <= width

    def test_names_the_microphones_it_may_use(self, host: Page) -> None:
        start_captions(host)
        options = json.loads(
            host.evaluate("JSON.stringify([...document.querySelector('[data-device]').options].map((o) => o.text))")
        )
        assert options[0] == "Microphone"
        assert any("Fake" in name for name in options)
        assert options[-1] == "Sound of a browser tab"


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_browser_that_cannot_run_at_16_khz_resamples_in_the_worklet(
    host: Page, server: ScriptedIngest, rate: int
) -> None:
    """Firefox takes a microphone at its own rate alone, and a hardened one tells another; Chromium is made to."""
    host.evaluate(
        """(rate) => {
            const create = AudioContext.prototype.createMediaStreamSource;
            AudioContext.prototype.createMediaStreamSource = function (stream) {
                if (this.sampleRate !== rate) throw new DOMException("rates differ", "NotSupportedError");
                return create.call(this, stream);
            };
        }""",
        rate,
    )
    start_captions(host)
    server.wait_for_frames(15)
    frames = [message for message in server.received if isinstance(message, bytes)]
    assert {len(frame) for frame in frames} == {FRAME_BYTES}
    assert any(any(frame[4:]) for frame in frames)
