"""A microphone that fails in the middle of a meeting: sound again by itself, or a sentence and a way on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import violations
from tests.browser.scripted import POLL_MS, ScriptedIngest, hello, notice, ready
from tests.browser.steps import ask_to_end, start_captions

PATIENCE_MS = 20_000

DEVICES = """
    window.asked = [];
    window.streams = [];
    window.contexts = [];
    window.refusals = {};
    window.gone = new Set();
    window.delayMs = 0;
    const { mediaDevices } = navigator;
    const open = mediaDevices.getUserMedia.bind(mediaDevices);
    const list = mediaDevices.enumerateDevices.bind(mediaDevices);
    mediaDevices.getUserMedia = async (wishes) => {
        const id = wishes.audio.deviceId?.exact ?? "";
        window.asked.push(id);
        await new Promise((resolve) => setTimeout(resolve, window.delayMs));
        const refusal = window.refusals["*"] ?? window.refusals[id];
        if (refusal) throw new DOMException("", refusal);
        const stream = window.silent?.includes(id) ? window.silence() : await open(wishes);
        window.streams.push(stream);
        return stream;
    };
    mediaDevices.enumerateDevices = async () => (await list()).filter(({ deviceId }) => !window.gone.has(deviceId));
    window.AudioContext = class extends AudioContext {
        constructor(options) {
            super(options);
            if (options) window.contexts.push(this);
        }
    };
    window.silence = () => new AudioContext().createMediaStreamDestination().stream;
    window.unplug = () => {
        const [track] = window.streams.at(-1).getAudioTracks();
        track.stop();
        track.dispatchEvent(new Event("ended"));
    };
"""
"""Chromium's fake microphones, which can be unplugged, refused and suspended."""

PLUG_IN = "refusals = {}; gone.clear(); navigator.mediaDevices.dispatchEvent(new Event('devicechange'))"


@pytest.fixture
def server(page: Page) -> ScriptedIngest:
    return ScriptedIngest(page)


@pytest.fixture
def host(page: Page, module_server: str, server: ScriptedIngest) -> Page:
    page.add_init_script(DEVICES)
    page.context.grant_permissions(["microphone"])
    server.open_host(module_server)
    server.say(ready(), hello(state="waiting"))
    return page


def start(host: Page, server: ScriptedIngest) -> None:
    start_captions(host)
    server.say(notice("live"))
    server.wait_for_frames(12)


def wait_for_more(server: ScriptedIngest) -> None:
    server.wait_for_frames(server.next_frame + 12)


def words(server: ScriptedIngest) -> list[str]:
    return [m["type"] for m in server.received if not isinstance(m, bytes) and m["type"] not in ("seen", "missing")]


def missing_s(server: ScriptedIngest) -> float:
    return sum(m["seconds"] for m in server.received if not isinstance(m, bytes) and m["type"] == "missing")


def choices(host: Page) -> list[str]:
    values: list[str] = host.locator("[data-device]").evaluate("(list) => [...list.options].map(({ value }) => value)")
    return values


def test_an_unplugged_microphone_is_replaced_by_itself_and_taken_again_when_it_is_back(
    host: Page, server: ScriptedIngest
) -> None:
    start(host, server)
    first, second, *_ = (value for value in choices(host) if value not in ("", "tab"))
    host.locator("[data-device]").select_option(second)
    host.wait_for_function("(id) => asked.at(-1) === id && streams.length === 2", arg=second)
    wait_for_more(server)
    assert (missing_s(server), words(server)) == (0, ["resume"]), "a switch by hand loses nothing"

    host.evaluate("(id) => { refusals[id] = 'OverconstrainedError'; gone.add(id); delayMs = 500; unplug(); }", second)
    expect(host.get_by_role("alert")).to_contain_text("The microphone stopped. Looking for another one…")
    expect(host.locator("[data-progress]")).to_contain_text("Now listening to")
    wait_for_more(server)
    expect(host.get_by_role("alert")).to_be_hidden()
    expect(host.locator("[data-device]")).to_have_value(first)
    assert 0.8 <= missing_s(server) < 5
    expect(host.locator("[data-progress]")).to_contain_text(f"{missing_s(server)} s were not captured.")

    host.evaluate(PLUG_IN)
    expect(host.locator("[data-device]")).to_have_value(second)
    assert host.evaluate("asked") == ["", second, second, first, second]
    wait_for_more(server)
    assert words(server) == ["resume"]
    assert host.evaluate("streams.filter((one) => one.getAudioTracks()[0].readyState === 'live').length") == 1


@pytest.mark.parametrize(
    "cure",
    [
        lambda host: host.evaluate(PLUG_IN),
        lambda host: host.evaluate("refusals = {}; document.dispatchEvent(new Event('visibilitychange'))"),
        lambda host: (host.evaluate("refusals = {}"), host.get_by_role("button", name="Start again").click()),
    ],
    ids=["plugged in", "back on the page", "by hand"],
)
def test_without_a_microphone_the_meeting_goes_on_until_there_is_one(
    host: Page, server: ScriptedIngest, cure: Callable[[Page], object]
) -> None:
    start(host, server)
    host.evaluate("delayMs = 500; refusals = { '*': 'NotFoundError' }; unplug()")
    expect(host.get_by_role("alert")).to_have_text("No microphone was found. Plug one in, then start again.")
    expect(host.locator("[data-progress]")).to_contain_text("Nothing is captured, and the meeting goes on")
    for name in ("Start again", "Pause", "End meeting"):
        expect(host.get_by_role("button", name=name)).to_be_enabled()
    cure(host)
    wait_for_more(server)
    expect(host.get_by_role("alert")).to_be_hidden()
    expect(host.get_by_role("button", name="Start again")).to_be_hidden()
    assert missing_s(server) > 0
    assert words(server) == ["resume"]


def test_a_permission_that_is_taken_back_is_told_and_not_asked_for_again(host: Page, server: ScriptedIngest) -> None:
    start(host, server)
    host.evaluate("delayMs = 500; refusals = { '*': 'NotAllowedError' }")
    host.context.clear_permissions()
    host.evaluate("unplug()")
    expect(host.get_by_role("alert")).to_contain_text("The browser was not allowed to listen.")
    assert host.evaluate("asked") == ["", ""]
    host.get_by_role("button", name="Pause").click()
    server.wait_for_word("pause")
    expect(host.get_by_role("alert")).to_be_hidden()
    expect(host.get_by_role("button", name="Resume")).to_be_focused()
    assert missing_s(server) > 0
    host.get_by_role("button", name="Resume").click()
    expect(host.get_by_role("alert")).to_contain_text("The browser was not allowed to listen.")
    ask_to_end(host)
    server.wait_for_word("end")
    assert words(server) == ["resume", "pause", "end"]


def test_a_live_meeting_can_be_paused_and_ended_by_a_page_that_does_not_capture(
    page: Page, module_server: str, server: ScriptedIngest
) -> None:
    server.open_host(module_server)
    server.say(ready(600), hello(state="waiting"))
    expect(page.get_by_role("button", name="End meeting")).to_be_hidden()
    server.close(1012)
    server.wait_for_socket(2)
    server.say(ready(600), hello(state="live"))
    figures = {"captured_s": 60.0, "durable_s": 60.0, "captioned_s": 55.0, "behind_s": 5.0, "missing_s": 2.0}
    server.say({"type": "ledger", **figures})
    page.get_by_role("button", name="Pause").click()
    server.wait_for_word("pause")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert page.locator("[data-figure]").all_inner_texts() == ["1:00", "1:00", "0:55", "5 s", "2 s"]
    ask_to_end(page)
    server.wait_for_word("end")
    server.say(notice("ended"))
    expect(page.get_by_role("heading", name="The meeting has ended")).to_be_focused()


@pytest.mark.parametrize("is_cured_by_resume", [True, False])
def test_a_sound_that_the_system_interrupted_comes_back(
    host: Page, server: ScriptedIngest, is_cured_by_resume: bool
) -> None:
    start(host, server)
    resume = "sleeping ? Promise.reject(new DOMException('', 'InvalidStateError')) : resume()"
    host.evaluate(
        f"""(isCured) => {{
            const [context] = contexts.slice(-1);
            const resume = context.resume.bind(context);
            window.sleeping = true;
            context.resume = isCured ? () => {resume} : () => new Promise(() => {{}});
            context.suspend();
        }}""",
        is_cured_by_resume,
    )
    expect(host.get_by_role("alert")).to_contain_text("The system has interrupted listening", timeout=10_000)
    frames, opened = server.next_frame, host.evaluate("streams.length")
    host.evaluate("sleeping = false")
    server.wait_for_frames(frames + 5)
    expect(host.get_by_role("alert")).to_be_hidden()
    assert missing_s(server) >= 2
    assert host.evaluate("streams.length") - opened == (0 if is_cured_by_resume else 1)


@pytest.mark.parametrize(
    ("stub", "sentence"),
    [
        (
            "createMediaStreamSource = () => { throw new DOMException('x', 'NotSupportedError'); }",
            "This browser hides how fast the microphone sends",
        ),
        ("resume = () => new Promise(() => {})", "The browser does not begin to listen."),
    ],
)
def test_a_browser_that_gives_no_sound_is_told_and_does_not_go_on_listening(
    host: Page, server: ScriptedIngest, stub: str, sentence: str
) -> None:
    host.evaluate(f"() => {{ AudioContext.prototype.{stub}; }}")
    host.get_by_role("button", name="Start captions").click()
    host.get_by_role("button", name="Yes, start captions").click()
    expect(host.get_by_role("alert")).to_contain_text(sentence)
    expect(host.get_by_role("button", name="Start captions")).to_be_focused()
    assert host.evaluate("streams.map((one) => one.getAudioTracks()[0].readyState)") == ["ended"]
    assert not any(isinstance(message, bytes) for message in server.received)


def test_a_microphone_that_gives_nothing_but_zeros_is_replaced(host: Page, server: ScriptedIngest) -> None:
    host.evaluate("window.silent = ['']")
    start_captions(host)
    server.say(notice("live"))
    expect(host.get_by_role("alert")).to_contain_text("Nothing was heard for 10 seconds.", timeout=PATIENCE_MS)
    host.wait_for_function("() => asked.length === 2")
    expect(host.get_by_role("alert")).to_be_hidden()
    expect(host.locator("[data-progress]")).to_contain_text("Now listening to")
    # It was heard: it may have been silenced by its own switch from now on, and no other is opened.
    assert host.evaluate("asked.at(-1)") == choices(host)[1]
    while not any(isinstance(m, bytes) and any(m[4:]) for m in server.received):
        host.wait_for_timeout(POLL_MS)


def test_a_duplicated_tab_says_that_the_meeting_is_hosted_from_another_page(host: Page, server: ScriptedIngest) -> None:
    """The server tells the two apart by the name of each load; see `tests/meetings/live`."""
    start(host, server)
    first = server.wait_for_socket(1)
    host.context.route_web_socket("**/ws/**", server._connected)
    with host.context.expect_page() as opened:
        host.evaluate("() => { window.open(location.href); }")
    duplicate = opened.value
    second = server.wait_for_socket(2)
    assert (second["session"] == first["session"], second["page"] == first["page"]) == (True, False)
    server.close(4409)
    expect(duplicate.locator("[data-connection]")).to_have_text("Hosted from another page")
    expect(duplicate.get_by_role("button", name="Take over here")).to_be_visible()
    for name in ("Pause", "End meeting"):
        expect(duplicate.get_by_role("button", name=name)).to_be_hidden()
    duplicate.close()


class TestBeforeTheMeeting:
    """A host hears whether the microphone works before anybody is listened to."""

    def test_the_level_moves_and_nothing_is_sent_or_kept(self, host: Page, server: ScriptedIngest) -> None:
        host.get_by_role("button", name="Test microphone").click()
        expect(host.get_by_role("meter")).to_have_attribute("aria-valuetext", "good")
        expect(host.locator("[data-check-answer]")).to_contain_text("Nothing is sent or kept.")
        assert host.get_by_label("From").locator("option").all_inner_texts()[1].startswith("Fake"), ()
        host.get_by_role("button", name="Stop the test").click()
        expect(host.get_by_role("meter")).to_have_attribute("aria-valuetext", "off")
        assert host.evaluate("streams.map((one) => one.active)") == [False]
        assert [message for message in server.received if isinstance(message, bytes)] == []

    def test_another_microphone_is_tested_when_it_is_chosen(self, host: Page) -> None:
        host.get_by_role("button", name="Test microphone").click()
        expect(host.get_by_role("button", name="Stop the test")).to_be_visible()
        chosen = host.get_by_label("From").locator("option").nth(2).get_attribute("value")
        host.get_by_label("From").select_option(chosen)
        host.wait_for_function("(id) => asked.at(-1) === id && streams.length === 2 && !streams[0].active", arg=chosen)
        expect(host.get_by_role("button", name="Stop the test")).to_be_visible()

    def test_the_start_ends_it(self, host: Page, server: ScriptedIngest) -> None:
        host.get_by_role("button", name="Test microphone").click()
        expect(host.get_by_role("button", name="Stop the test")).to_be_visible()
        start(host, server)
        assert host.evaluate("streams.map((one) => one.active)") == [False, True]
        expect(host.locator("[data-check]")).to_be_hidden()

    def test_without_one_it_says_what_to_do_and_marks_the_field(self, host: Page) -> None:
        host.evaluate("window.refusals['*'] = 'NotFoundError'")
        host.get_by_role("button", name="Test microphone").click()
        answer, field = host.locator("[data-check-answer]"), host.get_by_label("From")
        expect(answer).to_contain_text("No microphone was found. Plug one in")
        expect(answer).to_contain_text("Sound of a browser tab")
        expect(field).to_have_attribute("aria-invalid", "true")
        assert violations(host) == []
        host.evaluate(PLUG_IN)
        host.get_by_role("button", name="Test microphone").click()
        expect(host.get_by_role("meter")).to_have_attribute("aria-valuetext", "good")
        expect(field).not_to_have_attribute("aria-invalid", "true")
