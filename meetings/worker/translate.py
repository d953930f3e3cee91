"""Captions and summaries in other languages: a third thread translates what somebody reads or the meeting lists.

What is to be translated is asked of the rows, the newest caption first. So nothing is lost in a crash, and a language
that is opened late is filled in backwards by the same question.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

import redis.asyncio
import structlog
from channels.db import database_sync_to_async

from inference.models.loading import ModelCorrupt, ModelMissing
from inference.models.residency.drain_lock import ModelAsleep
from inference.models.residency.pool import ModelPool, SwapUnderWay
from inference.models.residency.transfers import MOVE_ERRORS
from inference.translation.translator import Translation, TranslationRequest, Translator
from meetings.broker.reader_languages import ReaderLanguages
from meetings.device import watchdog
from meetings.device.translation import TRANSLATION
from meetings.languages import LANGUAGES
from meetings.models import Stage, Summary
from meetings.store import summaries, transcript, translations
from meetings.store.translations import Untranslated
from meetings.supervise import contained_call
from meetings.worker import model_sleep
from meetings.worker.isolation import Isolation, ModelFailed
from meetings.worker.publisher import Publisher
from meetings.worker.stream import MeetingStream

T = TypeVar("T")

log = structlog.get_logger(__name__)

MODELS_AWAY_S = 0.5
"""How long to wait for the captions' turn while a summary is written."""

PLAIN_WORD = "OK."
"""What any model translates that works at all."""

CAPTION_BATCH = 4
"""Captions at once: a new one waits for no more than these."""

untranslated_summaries = database_sync_to_async(summaries.untranslated, thread_sensitive=False)
untranslated = database_sync_to_async(translations.untranslated, thread_sensitive=False)


class TranslateStep:
    """Translates the captions of a worker's meetings. Without its models captions go on as they were said."""

    def __init__(
        self,
        pool: ModelPool,
        publisher: Publisher,
        isolation: Isolation,
        broker: redis.asyncio.Redis,
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._isolation = isolation
        self._readership = ReaderLanguages(broker)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="translation")
        self._has_tried = not pool.has(TRANSLATION)
        self._sources: dict[str, frozenset[str]] = {}
        """By target; empty as long as there are no models."""
        self.seconds = 0.0
        """Spent translating."""

    async def _load(self) -> None:
        """Loads the models, or says why nothing will be translated; during a swap it is left for later."""
        try:
            self._sources = await self._in_thread(self._join)
        except (SwapUnderWay, ModelAsleep):
            return
        except (ModelMissing, ModelCorrupt, *MOVE_ERRORS) as error:
            log.error("translation_unavailable", error=str(error))
        self._has_tried = True

    async def _load_or_wait(self) -> None:
        await self._load()
        if not self._has_tried:
            await asyncio.sleep(MODELS_AWAY_S)

    def _join(self) -> dict[str, frozenset[str]]:
        """The languages that can be translated, by target."""
        self._pool.join(TRANSLATION)
        with self._pool.use(TRANSLATION) as translator:
            targets = {source: translator.targets(source) for source in LANGUAGES}
        return {target: frozenset(source for source in LANGUAGES if target in targets[source]) for target in LANGUAGES}

    async def look(self, streams: Mapping[str, MeetingStream]) -> None:
        """Learns which languages are read now."""
        for stream in list(streams.values()):
            read = await self._readership.languages(stream.meeting_id)
            if read - stream.languages_read:
                stream.awaits_translation = True
            stream.languages_read = read

    async def turn(self, streams: Mapping[str, MeetingStream]) -> bool:
        """One batch of every meeting, the models loaded first; says whether there was any."""
        if not self._has_tried:
            await self._load()
        done = [
            await self._interpret_contained(stream) for stream in list(streams.values()) if stream.awaits_translation
        ]
        return any(done)

    async def _interpret_contained(self, stream: MeetingStream) -> bool:
        """What fails is the meeting's own; while a summary is written, nothing is translated."""
        if Stage.TRANSLATION in stream.set_aside:
            return False
        with contextlib.suppress(ModelAsleep):
            return bool(await self._isolation.guard(stream, Stage.TRANSLATION, lambda: self._interpret(stream)))
        return False

    async def finish(self, stream: MeetingStream) -> None:
        """The meeting is over: translates what is left. A worker that has just started loads its models first."""
        while not self._has_tried:
            await self._load_or_wait()
        stream.awaits_translation = True
        while await self._interpret_or_wait(stream):
            pass

    async def _interpret_or_wait(self, stream: MeetingStream) -> bool:
        """Waits for the end of another meeting's summary: nothing that was said stays untranslated."""
        while True:
            with contextlib.suppress(ModelAsleep):
                return await self._interpret(stream)

    async def _interpret(self, stream: MeetingStream) -> bool:
        """A batch of captions, or when there are none, a summary; says whether there was any.

        Raises:
            ModelAsleep: a summary is being written; what is untranslated waits.
        """
        if not self._sources:
            return False
        stream.awaits_translation = False
        done = True  # what fails is still to be done
        try:
            done = await self._translate(stream) or await self._sum_up(stream)
        except transcript.LeaseLost:
            log.info("translations_come_too_late", meeting=stream.meeting_id)
            return False
        finally:
            stream.awaits_translation = stream.awaits_translation or done
        return done

    async def _translate(self, stream: MeetingStream) -> bool:
        wanted = await self._wanted(stream)
        if not wanted:
            return False
        requests = [TranslationRequest(item.text, item.source, item.target, stream.vocabulary) for item in wanted]
        async with self._isolation.trial(stream, Stage.TRANSLATION):
            texts = await self._in_thread(lambda: self._timed(requests))
        done = list(zip(wanted, texts, strict=True))
        await self._publisher.change(stream, lambda: translations.store_translations(stream.lease, done))
        return True

    async def _sum_up(self, stream: MeetingStream) -> bool:
        """One summary in one language."""
        for target in sorted(stream.languages_wanted):
            sources = self._sources.get(target, frozenset())
            found = await untranslated_summaries(stream.meeting_id, target, sources=sources)
            if found:
                await self._translate_summary(stream, found[0], target)
                return True
        return False

    async def _translate_summary(self, stream: MeetingStream, summary: Summary, target: str) -> None:
        said = summaries.texts_of(summary)
        requests = [TranslationRequest(text, summary.language, target, stream.vocabulary) for text in said]
        async with self._isolation.trial(stream, Stage.TRANSLATION):
            translated = [done.text for done in await self._in_thread(lambda: self._timed(requests))]
        store = partial(summaries.store_translation, stream.lease, summary.pk, target, said, translated=translated)
        await self._publisher.change(stream, store)

    async def _wanted(self, stream: MeetingStream) -> list[Untranslated]:
        wanted: list[Untranslated] = []
        for target in sorted(stream.languages_wanted):
            sources = self._sources.get(target, frozenset())
            if sources:
                wanted += await untranslated(stream.meeting_id, target, sources=sources, limit=CAPTION_BATCH)
        return wanted

    def _timed(self, requests: Sequence[TranslationRequest]) -> list[Translation]:
        """Raises ModelAsleep."""
        model_sleep.wake(self._pool)
        with self._pool.use(TRANSLATION, wait_s=MODELS_AWAY_S) as translator, watchdog.model_call("translating"):
            started = time.perf_counter()
            texts = translated(translator, requests)
            self.seconds += time.perf_counter() - started
        return texts

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def translated(translator: Translator, requests: Sequence[TranslationRequest]) -> list[Translation]:
    """Translate the texts together, and what fails so one by one: a text that fails alone stands as it was said.

    Raises ModelFailed if a plain word cannot be translated either.
    """
    together = contained_call(lambda: translator.translate(requests))
    if together.value is not None:
        return list(together.value)
    return [_translated_alone(translator, request) for request in requests]


def _translated_alone(translator: Translator, request: TranslationRequest) -> Translation:
    alone = contained_call(lambda: translator.translate([request]))
    if alone.value is not None:
        return alone.value[0]
    plain = contained_call(lambda: translator.translate([replace(request, text=PLAIN_WORD, vocabulary=())]))
    if plain.error is not None:
        raise ModelFailed("The model for translation fails whatever it is given.") from alone.error
    log.error("text_not_translated", target=request.target, error=type(alone.error).__name__)
    return Translation(request.text, translated=False)
