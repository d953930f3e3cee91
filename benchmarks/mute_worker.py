"""A worker whose summariser comes in, is warmed up and writes nothing: `python -m benchmarks.mute_worker`.

What is left of a pause then is the two swaps, by the pool's own verbs. `benchmarks.outage` has it caption a meeting.
"""

from __future__ import annotations

import os
from typing import Any
from unittest import mock

from django.core.management import execute_from_command_line

from inference.summarization.summary import Summary, SummaryRequest


def write_nothing(_summarizer: object, request: SummaryRequest, **_: Any) -> Summary:
    """In place of `ChatSummarizer.summarize`."""
    return Summary(request.lines[0].start, request.lines[-1].end, request.language, "", ())


def main() -> None:
    """`manage.py inference` until SIGTERM; settings come from the environment, as every worker's do."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meetings.settings")
    with mock.patch("inference.summarization.summarizer.ChatSummarizer.summarize", write_nothing):
        execute_from_command_line(["manage.py", "inference", "--name", "mute"])


if __name__ == "__main__":
    main()
