"""Chat models without weights, for what only depends on their answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from inference.summarization.chat import Answer, Speed
from inference.summarization.prompts import Chat


class ScriptedChatModel:
    """Answers with what a function makes of each chat's last message. Stands in for the seconds a real one takes."""

    label = "scripted"

    def __init__(self, reply: Callable[[str], str], *, is_complete: bool = True) -> None:
        self._reply = reply
        self._is_complete = is_complete
        self.speed: Speed | None = None
        self.asked: list[str] = []
        """The last message of every chat so far."""

    def count_tokens(self, chats: Sequence[Chat]) -> int:
        """Words, of all messages."""
        return sum(len(turn["content"].split()) for chat in chats for turn in chat)

    def answer(
        self, chats: Sequence[Chat], *, most_tokens: int, is_done: Callable[[], bool] = lambda: False
    ) -> list[Answer]:
        """One reply a chat; incomplete where it is to stop."""
        said = [chat[-1]["content"] for chat in chats]
        self.asked += said
        return [Answer(self._reply(text), self._is_complete and not is_done()) for text in said]
