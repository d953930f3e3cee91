"""The pages without their server: real templates, real modules, and a socket that a test speaks through."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import translation
from playwright.sync_api import Page, Route, WebSocketRoute

from meetings.accounts.link_tokens import storage_key
from meetings.models import SPEAKER_COLORS, Meeting
from meetings.web.meeting_forms import MeetingForm
from meetings.web.meeting_list import ListedMeeting
from meetings.web.qr import qr_svg
from meetings.web.upload_forms import UploadForm

MEETING = Meeting(pk="scripted", title="Weekly planning", created_at=datetime(2026, 11, 30, 9, tzinfo=UTC))
QR = f"data:image/svg+xml;base64,{b64encode(qr_svg('https://captions.example.org/m/scripted/?token=t')).decode()}"
ALL_OPEN = json.dumps(dict.fromkeys(("summary", "spoken", "speakers", "ledger"), True))
"""What a host's browser remembers who has opened all that folds."""

POLL_MS = 20
POLICY = "; ".join(f"{name} {' '.join(who)}" for name, who in settings.CONTENT_SECURITY_POLICY["DIRECTIVES"].items())
"""What the real pages may do."""

Message = dict[str, Any]

PAGES: dict[str, tuple[str, dict[str, str]]] = {}
"""What the server of the modules answers besides files, with headers, by path and query.

Playwright would pass on each of a page's fifty requests if it answered one of them itself.
"""


@dataclass
class ScriptedServer:
    """Stands in for the web process; what the page sends is kept, what the test says is sent."""

    page: Page
    sockets: list[WebSocketRoute] = field(default_factory=list)
    received: list[Message | bytes] = field(default_factory=list)
    interface: str = "en"
    """The language of the pages."""
    held: list[Route] | None = None
    """Requests for modules that wait; None: none does."""

    def open_viewer(self, base: str, *, query: str = "", downloads: bool = False) -> None:
        self.page.route_web_socket("**/ws/**", self._connected)
        self.show_viewer(base, query=query, downloads=downloads)
        if self.held is None:
            self.wait_for_socket(1)

    def show_viewer(self, base: str, *, query: str = "", downloads: bool = False) -> None:
        """The page alone, where no socket may come of it."""
        links = [("vtt", "/m/scripted/transcript.vtt?token=t")] if downloads else []
        context = {"meeting": MEETING, "token": "t", "transcripts": links, "is_overlay": "overlay=1" in query}
        self._serve(f"{base}m/scripted/?{query}", "meetings/viewer.html", context)

    def open_host(self, base: str, *, folded: bool = False, **more: object) -> None:
        """With all that folds open, as a host may leave it. `more` is what the page is to be told besides."""
        context = {
            "meeting": MEETING,
            "token": "t",
            "storage_key": storage_key(MEETING),
            "join_link": f"{base}m/scripted/",
            "join_code": "7K0-1MZ-X2P",
            "join_address": "captions.example.org/join",
            "qr_link": QR,
            "is_ended": False,
            "captioned_s": 0.0,
        }
        self.page.route_web_socket("**/ws/**", self._connected)
        self.page.evaluate("(folds) => localStorage.setItem('parlance.folds', folds)", "{}" if folded else ALL_OPEN)
        self._serve(f"{base}host/scripted/", "meetings/host.html", {**context, **more})
        if self.held is None:
            self.wait_for_socket(1)

    def open_list(self, base: str, *, meetings: tuple[Meeting, ...] = ()) -> None:
        """The page of the host's meetings; it has no socket."""
        with translation.override(self.interface):
            form = MeetingForm()
        for meeting in meetings:
            meeting._state.fields_cache["upload"] = None  # nobody asks the database, where there is none
            meeting._prefetched_objects_cache = {"speakers": Meeting.objects.none()}  # type: ignore[attr-defined]
        may = frozenset({"speak", "read", "export", "delete"})
        entries = [ListedMeeting(meeting, may, is_away=False) for meeting in meetings]
        self._serve(f"{base}list/", "meetings/list.html", {"form": form, "meetings": entries, "is_first_run": True})

    def open_uploads(self, base: str) -> None:
        """The page for recordings; it has no socket."""
        with translation.override(self.interface):
            form = UploadForm()
        self._serve(f"{base}uploads/", "meetings/uploads.html", {"form": form, "limit": "4 GB", "chunk_bytes": 1 << 20})

    def open_account(self, base: str, **context: object) -> None:
        self._serve(f"{base}account/", "meetings/account.html", context)

    def open_notice(self, base: str, template: str, **context: object) -> None:
        """A page that only says something, such as an error."""
        self._serve(f"{base}notice/", template, context)

    def hold_scripts(self) -> None:
        """Keep every module back until `release_scripts`; a page counts as open before."""
        self.held = []
        self.page.route("**/*.js", self._hold)

    def _hold(self, route: Route) -> None:
        assert self.held is not None
        self.held.append(route)

    def release_scripts(self) -> None:
        held, self.held = self.held or [], None
        self.page.unroute("**/*.js")
        for route in held:
            route.fallback()

    def say(self, *messages: Message) -> None:
        for message in messages:
            self.sockets[-1].send(json.dumps(message))

    def close(self, code: int) -> None:
        self.sockets[-1].close(code=code)

    def wait_for_socket(self, count: int) -> dict[str, str]:
        """The query of socket number `count` (from 1), once the page has opened it."""
        while len(self.sockets) < count:
            # Hands the thread to Playwright, which calls `_connected`; the test's own limit ends a wait in vain.
            self.page.wait_for_timeout(POLL_MS)
        query = parse_qs(urlsplit(self.sockets[count - 1].url).query)
        return {name: values[0] for name, values in query.items()}

    def _serve(self, url: str, template: str, context: dict[str, object]) -> None:
        with translation.override(self.interface):
            html = render_to_string(template, context, RequestFactory().get(urlsplit(url).path))
        PAGES[path_of(url)] = html, {"Content-Security-Policy": POLICY, "Content-Type": "text/html"}
        self.page.goto(url, wait_until="load" if self.held is None else "commit")

    def _connected(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        socket.on_message(self._take)

    def _take(self, message: str | bytes) -> None:
        self.received.append(message if isinstance(message, bytes) else json.loads(message))


class ScriptedIngest(ScriptedServer):
    """Keeps frames as the contract says and acknowledges them, unless told to be silent."""

    next_frame = 0
    is_silent = False

    def _take(self, message: str | bytes) -> None:
        super()._take(message)
        if isinstance(message, bytes) and not self.is_silent:
            (number,) = struct.unpack(">I", message[:4])
            assert number <= self.next_frame, f"frame {number} came where {self.next_frame} was due"
            self.next_frame = max(self.next_frame, number + 1)
            self.say({"type": "ack", "frame": self.next_frame - 1})

    def wait_for_frames(self, count: int) -> None:
        while self.next_frame < count:
            self.page.wait_for_timeout(POLL_MS)

    def wait_for_word(self, word: str) -> None:
        while {"type": word} not in self.received:
            self.page.wait_for_timeout(POLL_MS)


def ready(next_frame: int = 0) -> Message:
    return {"type": "ready", "next_frame": next_frame, "sample_rate": 16_000, "frame_ms": 100}


def notice(state: str) -> Message:
    return {"type": "notice", "state": state, "message": f"Now {state}.", "expected_s": None, "behind_s": 0.0}


def ledger(**changes: Any) -> Message:
    figures = dict.fromkeys(("captured_s", "durable_s", "captioned_s", "behind_s", "missing_s"), 0.0)
    summaries = dict.fromkeys(("next_summary_s", "summary_trouble", "retry_summary_s"))
    return {"type": "ledger", **figures, **summaries, "language": "en", "detected_language": None, **changes}


def path_of(url: str) -> str:
    """With the query, if there is one."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def hello(
    *,
    last_seq: int = 0,
    state: str = "live",
    language: str = "en",
    languages: tuple[str, ...] = ("en",),
    speakers: tuple[Message, ...] = (),
) -> Message:
    return {
        "type": "hello",
        "meeting": {"id": "scripted", "title": "Weekly planning", "language": language},
        "languages": list(languages),
        "speakers": [{name: one[name] for name in ("id", "name", "color")} for one in speakers],
        "state": state,
        "last_seq": last_seq,
    }


def speaker(number: int, name: str | None = None, *, seq: int = 0, merged_into: str | None = None) -> Message:
    """Speaker `number` (from 1)."""
    color = SPEAKER_COLORS[(number - 1) % len(SPEAKER_COLORS)]
    return {"type": "speaker", "seq": seq, "id": f"S{number}", "name": name, "color": color, "merged_into": merged_into}


def caption(number: int, text: str | None = None, **changes: Any) -> Message:
    """Caption `number`: three seconds long, right after the one before."""
    return {
        "type": "caption",
        "seq": number,
        "segment": f"{number:08}",
        "revision": 0,
        "start": 3.0 * number,
        "end": 3.0 * number + 3.0,
        "speaker": None,
        "unsure": False,
        "language": "en",
        "text": f"This is caption number {number}." if text is None else text,
        "translation": None,
        "provisional": False,
    } | changes


def partial(number: int, text: str, *, provisional: bool = False) -> Message:
    return {
        "type": "partial",
        "segment": f"{number:08}",
        "start": 3.0 * number,
        "speaker": None,
        "text": text,
        "provisional": provisional,
    }


def summary(number: int, *items: Message, **changes: Any) -> Message:
    """Summary `number`, of everything up to a minute a number."""
    return {
        "type": "summary",
        "seq": 100 * number,
        "id": str(number),
        "from_s": 0.0,
        "to_s": 60.0 * number,
        "language": "en",
        "text": "",
        "items": list(items),
    } | changes


def item(kind: str, text: str, *captions: int, owner: str | None = None) -> Message:
    """An item of a summary that cites the captions of these numbers."""
    return {"kind": kind, "text": text, "owner": owner, "segments": [f"{number:08}" for number in captions]}
