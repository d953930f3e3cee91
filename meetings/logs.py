"""Structured logs: readable lines on a terminal, else one JSON object a line. Never a caption, a token or audio."""

from __future__ import annotations

import logging.config
import re
import sys
from typing import Any

import structlog

from meetings.database_errors import format_traceback
from meetings.environment import LogFormat

TOKENS = re.compile(r"(/sign-in/[^/\s\"]+/|\btoken=)[^/\s\"'\\&?\x1b]+")
"""Where a token stands in an address: in the path of a one-time link, in the query of all others."""


def hide_tokens(_logger: Any, _method: str, line: str) -> str:
    """Return the line without the tokens in it, whoever wrote it: Django names the path of a request that failed."""
    return TOKENS.sub(r"\1***", line)


def logging_config(*, debug: bool, log_format: LogFormat = "auto") -> None:
    """Set up structlog and the standard library's loggers to write to standard error.

    `auto` is `console` where standard error is a terminal, else `json`.
    """
    is_console = sys.stderr.isatty() if log_format == "auto" else log_format == "console"
    renderer: Any = _console() if is_console else structlog.processors.JSONRenderer()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if is_console else "iso", utc=not is_console),
    ]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "lines": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.ExceptionRenderer(format_traceback),
                        renderer,
                        hide_tokens,
                    ],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
            "root": {"handlers": ["stderr"], "level": "INFO" if debug else "WARNING"},
            # The access log would hold the tokens of sockets and links.
            "loggers": {
                "meetings": {"level": "INFO"},
                "inference": {"level": "INFO"},
                # Its warnings name the path of a refused page, and a sign-in link has its token there.
                "django.request": {"level": "ERROR"},
                # Strangers write these: requests for other hosts.
                "django.security.DisallowedHost": {"level": "CRITICAL"},
                "django.channels.server": {"level": "WARNING"},
                "daphne": {"level": "WARNING"},
            },
        }
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _console() -> structlog.dev.ConsoleRenderer:
    """Colours only on a terminal: `console` may be asked for where output goes to a file."""
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24)
