"""Errors of the programs' endpoints, in OpenAI's form."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The answer is an error."""

    def __init__(
        self, status: int, code: str, sentence: str, *, field: str | None = None, again_in_s: int | None = None
    ) -> None:
        super().__init__(sentence)
        self.status, self.code, self.field, self.again_in_s = status, code, field, again_in_s

    @property
    def content(self) -> dict[str, Any]:
        """What is sent as JSON."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": self.field, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """What is sent beside it."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        return {} if self.again_in_s is None else {"Retry-After": str(self.again_in_s)}
