"""Errors of the API endpoints, in OpenAI's format."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The request is answered with an error."""

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        *,
        field: str | None = None,
        again_in_s: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.code, self.field, self.again_in_s = status, code, field, again_in_s
        self._headers = headers or {}

    @property
    def content(self) -> dict[str, Any]:
        """The JSON body of the response."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return {"error": {"message": str(self), "type": kind, "param": self.field, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """The additional headers of the response."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        return self._headers if self.again_in_s is None else {"Retry-After": str(self.again_in_s)}
