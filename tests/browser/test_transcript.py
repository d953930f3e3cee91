"""The page of a transcript in a real browser: searched, heard, corrected, read in two languages, copied, printed."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import violations
from tests.browser.steps import DESKTOP
from tests.live import MeetingLinks
from tests.stored_server import stored_server

SEARCH = "Search in this transcript"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stored")


@pytest.fixture(scope="module")
def stored(data: Path) -> Iterator[MeetingLinks]:
    with stored_server(data) as links:
        yield links


@pytest.fixture
def transcript(browser: Browser, stored: MeetingLinks) -> Iterator[Page]:
    """The host's page."""
    context = browser.new_context(viewport=DESKTOP, permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto(f"http://127.0.0.1:{stored.port}/m/{stored.id}/read/?token={stored.host_token}")
    yield page
    context.close()
    assert errors == []


def line(page: Page, text: str) -> str:
    """A selector of the line that says `text` now, which holds when it says something else."""
    segment = page.locator("[data-lines] [data-segment]").filter(has_text=text).get_attribute("data-segment")
    return f"[data-segment='{segment}']"


def test_a_search_counts_and_goes_from_match_to_match(transcript: Page) -> None:
    field, count = transcript.get_by_label(SEARCH), transcript.locator("[data-search-count]")
    field.fill("O")
    expect(count).to_have_text("Found: 3")
    assert transcript.evaluate("[...CSS.highlights.get('found')].map(String)") == ["o", "o", "o"]
    for shown in ("1 of 3", "2 of 3"):
        field.press("Enter")
        expect(count).to_have_text(shown)
    assert transcript.evaluate("CSS.highlights.get('found-here').size") == 1
    field.press("Shift+Enter")
    field.press("Shift+Enter")
    expect(count).to_have_text("3 of 3")
    field.fill("<b>")
    expect(count).to_have_text("Not found.")
    expect(transcript.get_by_role("button", name="Next match")).to_be_disabled()


def test_a_line_is_heard_where_it_was_said(transcript: Page) -> None:
    transcript.get_by_role("button", name="Hear it from 0:05").click()
    expect(transcript.locator(line(transcript, "second"))).to_have_attribute("aria-current", "true")
    assert 4.7 <= transcript.evaluate("document.querySelector('audio').currentTime") < 10


def test_a_correction_is_on_the_page_and_on_open_screens(transcript: Page, stored: MeetingLinks) -> None:
    viewer = transcript.context.new_page()
    viewer.goto(f"http://127.0.0.1:{stored.port}/m/{stored.id}/?token={stored.join_token}")
    row = transcript.locator(line(transcript, "who?"))
    row.get_by_role("button", name="Edit").click()
    assert violations(transcript) == []
    field = transcript.get_by_label("What was said")
    expect(field).to_be_focused()
    field.fill("Who, <b>?")
    transcript.get_by_label("Who said it?").select_option("Ana")
    transcript.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(row.locator("[data-wording]")).to_have_text("Who, <b>?")
    expect(row.locator("[data-speaker-name]")).to_have_text("Ana")
    expect(row.get_by_role("button", name="Edit")).to_be_focused()
    expect(viewer.locator("[data-captions]")).to_contain_text("Who, <b>?")


def test_a_paragraph_is_opened_for_its_lines(transcript: Page) -> None:
    first, second = (transcript.locator(line(transcript, text)) for text in ("now", "then"))
    paragraph = transcript.locator("[data-paragraph]").filter(has=first)
    expect(paragraph).to_contain_text("now then", use_inner_text=True)
    expect(second.get_by_role("button")).to_have_count(0)
    second.get_by_text("then").click()
    expect(second).to_have_attribute("aria-current", "true")
    opener = paragraph.get_by_role("button", name="Edit the lines from 0:08")
    opener.focus()
    opener.press("Enter")
    expect(second.get_by_role("button")).to_have_text(["0:09", "Edit"])
    assert violations(transcript) == []
    paragraph.get_by_role("button", name="As a paragraph").click()
    expect(second.get_by_role("button")).to_have_count(0)


def test_a_line_that_is_somebody_elses_parts_its_paragraph(transcript: Page) -> None:
    first, second = (transcript.locator(line(transcript, text)) for text in ("alpha", "beta"))
    transcript.get_by_role("button", name="Edit the lines from 0:14").click()
    second.get_by_role("button", name="Edit").click()
    transcript.get_by_label("Who said it?").select_option("Ana")
    transcript.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(second.locator(".speaker")).to_have_text("Ana")
    expect(second.locator(".speaker")).to_be_visible()
    transcript.get_by_role("button", name="Copy").click()
    expect(transcript.locator("[data-copied]")).to_have_text("Copied.")
    lines = transcript.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[-2:] == ["[0:14] Speaker 2: alpha.", "[0:15] Ana: beta."]
    transcript.reload()
    paragraphs = transcript.locator("[data-paragraph]")
    expect(paragraphs.filter(has=first)).not_to_contain_text("beta.")
    count = paragraphs.count()
    second.get_by_role("button", name="Edit").click()
    transcript.get_by_label("What was said").fill("")
    transcript.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(second).to_have_count(0)
    expect(paragraphs).to_have_count(count - 1)


def test_two_people_that_are_one_are_asked_about(transcript: Page) -> None:
    questions: list[str] = []
    transcript.on("dialog", lambda dialog: (questions.append(dialog.message), dialog.dismiss()))
    form = transcript.locator("[data-speaker-form='Speaker 2']")
    form.get_by_label("Merge with").select_option("Ana")
    form.get_by_role("button", name="Save").click()
    assert questions == ["Are Speaker 2 and Ana the same person? They become one; this cannot be undone."]
    expect(transcript.locator("[data-speaker-form]")).to_have_count(2)


def test_two_languages_stand_side_by_side(transcript: Page) -> None:
    transcript.get_by_role("combobox", name="Language", exact=True).select_option("Portuguese")
    expect(transcript).to_have_url(re.compile("lang=pt"))
    transcript.get_by_label("Second language").select_option("As spoken")
    expect(transcript).to_have_url(re.compile("beside=spoken"))
    row = transcript.locator(line(transcript, "primeiro"))
    columns = row.locator("[data-wording]")
    expect(columns).to_have_text(["primeiro", "first"])
    left, right = (column.bounding_box() for column in columns.all())
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]
    assert left["x"] < right["x"]
    assert "lang=pt" in (transcript.get_by_role("link", name="DOCX", include_hidden=True).get_attribute("href") or "")
    assert violations(transcript) == []
    row.get_by_role("button", name="Edit").click()
    dialog = transcript.get_by_role("dialog")
    dialog.get_by_label("Portuguese").fill("Em primeiro lugar")
    dialog.get_by_role("button", name="Save").click()
    expect(columns).to_have_text(["Em primeiro lugar", "first"])
    transcript.locator(line(transcript, "now")).get_by_role("button", name="Edit").click()
    expect(dialog.get_by_label("Portuguese")).to_have_value("")
    dialog.get_by_label("Portuguese").fill("Agora")
    dialog.get_by_role("button", name="Save").click()
    expect(transcript.locator(line(transcript, "Agora")).locator("[data-wording]")).to_have_text(["Agora", "now"])


def test_a_summary_leads_to_its_lines(transcript: Page) -> None:
    transcript.set_viewport_size({"width": 800, "height": 320})
    transcript.get_by_role("link", name="Do it now.").click()
    expect(transcript.locator(line(transcript, "now"))).to_be_in_viewport()


def test_a_summary_that_was_changed_meanwhile_is_not_written_over(transcript: Page) -> None:
    transcript.get_by_role("button", name="Edit the summary").click()
    dialog = transcript.get_by_role("dialog")
    dialog.locator("[name='seen-1']").evaluate("seen => { seen.value = 'Do it later.'; }")
    dialog.get_by_label("1 — Ana").fill("Do it today.")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_have_text("Somebody else has changed this line meanwhile: read it again.")
    expect(dialog.get_by_label("1 — Ana")).to_have_value("Do it today.")


def test_a_summary_is_corrected_and_open_screens_follow(transcript: Page, stored: MeetingLinks) -> None:
    viewer = transcript.context.new_page()
    viewer.goto(f"http://127.0.0.1:{stored.port}/m/{stored.id}/?token={stored.join_token}")
    card = transcript.locator("[data-digest]")
    button = card.get_by_role("button", name="Edit the summary")
    button.click()
    assert violations(transcript) == []
    field = transcript.get_by_label("1 — Ana")
    expect(field).to_be_focused()
    field.fill("Do it <b>")
    transcript.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    button.click()
    expect(field).to_have_value("Do it now.")
    field.fill("Do it <b>today</b>.")
    transcript.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(card.get_by_role("link")).to_have_text("Do it <b>today</b>.")
    expect(button).to_be_focused()
    expect(viewer.locator("[data-summary-items]")).to_contain_text("Do it <b>today</b>.")
    viewer.close()
    button.click()
    expect(field).to_have_value("Do it <b>today</b>.")
    field.fill("")
    transcript.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(card).to_have_count(0)


def test_it_is_copied_as_text(transcript: Page) -> None:
    transcript.get_by_role("button", name="Copy").click()
    expect(transcript.locator("[data-copied]")).to_have_text("Copied.")
    lines = transcript.evaluate("navigator.clipboard.readText()").splitlines()
    assert (lines[0], lines[3]) == ("[0:01] Ana: first", "[0:08] now then")


def test_on_paper_there_is_text_and_nothing_to_press(transcript: Page) -> None:
    transcript.emulate_media(media="print")
    expect(transcript.locator("[data-wording]").first).to_be_visible()
    expect(transcript.get_by_role("heading", level=1)).to_be_visible()
    visible = transcript.locator("button, select, input, audio").filter(visible=True)
    assert {element.get_attribute("class") for element in visible.all()} == {"plain time"}


def test_on_a_phone_nothing_is_cut_off(transcript: Page) -> None:
    transcript.set_viewport_size({"width": 360, "height": 740})
    assert transcript.evaluate("document.documentElement.scrollWidth") == 360
    assert violations(transcript) == []


def test_a_viewer_corrects_nothing(browser: Browser, stored: MeetingLinks) -> None:
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{stored.port}/m/{stored.id}/?token={stored.join_token}")
    page.get_by_role("link", name="Transcript", exact=True).click()
    expect(page.locator("[data-lines] [data-segment]").first).to_be_visible()
    expect(page.get_by_role("button", name="Edit")).to_have_count(0)
    assert violations(page) == []
    page.close()


@pytest.mark.parametrize(
    ("text", "wanted", "found"),
    [
        ("A reunião é às três. Reuniao!", "REUNIÃO", ["reunião", "Reuniao"]),
        ("cafe\u0301 e café", "cafe", ["cafe\u0301", "café"]),
        ("aaa", "aa", ["aa"]),
        ("İstanbul ﬁnds", "istanbul", ["İstanbul"]),
        ("👍🏽 yes 👍🏽", "yes", ["yes"]),
        ("a.b", ".", ["."]),
        ("nothing", "  ", []),
    ],
)
def test_a_search_minds_neither_case_nor_accents(page: Page, text: str, wanted: str, found: list[str]) -> None:
    script = """async ([text, wanted]) => {
        const { matches } = await import("/static/js/text-search.js");
        return matches(text, wanted).map(([start, end]) => text.slice(start, end));
    }"""
    assert page.evaluate(script, [text, wanted]) == found


def test_what_a_second_pass_changes_appears_on_the_open_page(
    browser: Browser, stored: MeetingLinks, data: Path
) -> None:
    """It is played here: the server of this test has no models."""

    def store(statement: str, *values: object) -> None:
        with closing(sqlite3.connect(data / "parlance.sqlite3", timeout=30)) as rows, rows:
            rows.execute(statement, values)

    store(
        "INSERT INTO meetings_secondpass (meeting_id, state, epoch, attempts, position, is_sound_held, error,"
        " created_at) VALUES (?, 'reading', 1, 1, 0, 1, '', '2026-11-30 12:00:00')",
        stored.id,
    )
    page = browser.new_page(viewport=DESKTOP)
    page.goto(f"http://127.0.0.1:{stored.port}/m/{stored.id}/read/?token={stored.join_token}")
    expect(page.get_by_role("status").filter(has_text="is being read again")).to_be_visible()
    changed = page.locator(line(page, "first"))
    assert violations(page) == []
    store("UPDATE meetings_caption SET text = 'fifth' WHERE meeting_id = ? AND text = 'first'", stored.id)
    store("UPDATE meetings_secondpass SET state = 'done'")
    expect(changed.locator("[data-wording]")).to_have_text("fifth", timeout=30_000)
    expect(page.get_by_role("status").filter(has_text="has been read again")).to_be_visible()
    page.close()
