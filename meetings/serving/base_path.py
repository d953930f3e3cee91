"""Requests under a base path: the same for the application, whether or not the proxy has cut it off."""

from __future__ import annotations

from typing import Any

from meetings.base_path import without_base


class BasePath:
    """Show the application every path with its base, as the browser has it."""

    def __init__(self, application: Any, base: str) -> None:
        self._application = application
        self._base = base

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        if self._base and "path" in scope:
            path = self._base + without_base(scope["path"], self._base)
            scope = {**scope, "path": path, "root_path": self._base}
        return await self._application(scope, receive, send)
