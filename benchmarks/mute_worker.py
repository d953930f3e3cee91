"""A worker whose summarizer is loaded and warmed up but writes nothing: `python -m benchmarks.mute_worker`.

A pause then only consists of the two swaps of the pool. `benchmarks.outage` lets it caption a meeting.
"""

from __future__ import annotations

import os
from typing import Any
from unittest import mock

from django.core.management import execute_from_command_line

from inference.summarization.summary import Summary, SummaryRequest


def write_nothing(_summarizer: object, request: SummaryRequest, **_: Any) -> Summary:
    """Replace `ChatSummarizer.summarize`."""
    return Summary(request.lines[0].start, request.lines[-1].end, request.language, "", ())


def main() -> None:
    """Run `manage.py inference` until SIGTERM, with settings from the environment like any worker."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meetings.settings")
    with mock.patch("inference.summarization.summarizer.ChatSummarizer.summarize", write_nothing):
        execute_from_command_line(["manage.py", "inference", "--name", "mute"])


if __name__ == "__main__":
    main()
