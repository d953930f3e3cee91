"""Translate captions and summaries, in a thread of their own, into the languages that are read or listed.

Untranslated captions are queried from the rows, newest first. Nothing is lost in a crash, and a language that is
selected late is filled in backwards by the same query.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import redis.asyncio
import structlog

from inference.models.residency.drain_lock import ModelAsleep
from inference.models.residency.pool import ModelPool
from inference.translation.translator import Translation, TranslationRequest, Translator
from meetings.broker.reader_languages import ReaderLanguages
from meetings.device.translation import TRANSLATION
from meetings.languages import LANGUAGES
from meetings.models import Stage, Summary
from meetings.queries import in_database
from meetings.store import summaries, transcript, translations
from meetings.store.translations import Untranslated
from meetings.supervise import contained_call
from meetings.worker.isolation import Isolation, ModelFailed
from meetings.worker.model_thread import ModelThread
from meetings.worker.priority import RoundRobin, spoken
from meetings.worker.publisher import Publisher
from meetings.worker.stream import MeetingStream

T = TypeVar("T")

log = structlog.get_logger(__name__)

PLAIN_WORD = "OK."
"""A text that any working model can translate."""

CAPTION_BATCH = 4
"""Captions per batch. A new caption waits for one batch at most."""


class TranslateStep:
    """Translate the captions of a worker's meetings. Without the models captions go on untranslated."""

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
        self._reader_languages = ReaderLanguages(broker)
        self._model = ModelThread(pool, TRANSLATION)
        self._round_robin = RoundRobin()
        self._one_recording = asyncio.Lock()
        """People wait for one batch of a recording at most, however many recordings are finished at once."""
        self._sources: dict[str, frozenset[str]] = {}
        """Source languages by target; empty while there are no models."""

    @property
    def seconds(self) -> float:
        """Seconds spent translating."""
        return self._model.seconds

    def _read_sources(self) -> None:
        with self._pool.use(TRANSLATION) as translator:
            targets = {source: translator.targets(source) for source in LANGUAGES}
        self._sources = {
            target: frozenset(source for source in LANGUAGES if target in targets[source]) for target in LANGUAGES
        }

    async def look(self, streams: Mapping[str, MeetingStream]) -> None:
        """Read from the broker which languages are read now."""
        for stream in list(streams.values()):
            read = await self._reader_languages.languages(stream.meeting_id)
            if read - stream.languages_read:
                stream.awaits_translation = True
            stream.languages_read = read

    async def turn(self, streams: Mapping[str, MeetingStream]) -> bool:
        """Translate one batch of every live meeting, and of the next recording; return whether there was any.

        Load the models first.
        """
        await self._model.load(self._read_sources)
        live = [stream for stream in spoken(streams).values() if stream.awaits_translation]
        done = [await self._interpret_contained(stream) for stream in live]
        for stream in self._round_robin.ordered(streams):
            if stream.awaits_translation and await self._interpret_contained(stream):
                self._round_robin.took(stream)
                return True
        return any(done)

    async def _interpret_contained(self, stream: MeetingStream) -> bool:
        """Translate a batch, with errors counted against this meeting. Do nothing while a summary is written."""
        if Stage.TRANSLATION in stream.set_aside:
            return False
        with contextlib.suppress(ModelAsleep):
            return bool(await self._isolation.guard(stream, Stage.TRANSLATION, lambda: self._interpret(stream)))
        return False

    async def finish(self, stream: MeetingStream) -> None:
        """Translate the rest of an ended meeting. Load the models first if this worker has just started."""
        await self._model.wait_until_loaded(self._read_sources)
        stream.awaits_translation = True
        while await self._interpret_or_wait(stream):
            pass

    async def _interpret_or_wait(self, stream: MeetingStream) -> bool:
        """Translate a batch, after any summary in progress, so that nothing stays untranslated."""
        while True:
            with contextlib.suppress(ModelAsleep):
                return await self._interpret(stream)

    async def _interpret(self, stream: MeetingStream) -> bool:
        """Translate a batch of captions or, if there are none, a summary; return whether there was any.

        Raises:
            ModelAsleep: a summary is being written; what is untranslated waits.
        """
        if not self._sources:
            return False
        stream.awaits_translation = False
        done = True  # after an error the batch is still to be done
        turn = self._one_recording if stream.is_upload else contextlib.nullcontext()
        try:
            async with turn:
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
            texts = await self._model.run(lambda: self._timed(requests))
        done = list(zip(wanted, texts, strict=True))
        await self._publisher.store_and_publish(stream, translations.store_translations, stream.lease, done)
        return True

    async def _sum_up(self, stream: MeetingStream) -> bool:
        """Translate one summary into one language."""
        for target in sorted(stream.languages_wanted):
            sources = self._sources.get(target, frozenset())
            found = await in_database(summaries.untranslated, stream.meeting_id, target, sources=sources)
            if found:
                await self._translate_summary(stream, found[0], target)
                return True
        return False

    async def _translate_summary(self, stream: MeetingStream, summary: Summary, target: str) -> None:
        said = summaries.texts_of(summary)
        requests = [TranslationRequest(text, summary.language, target, stream.vocabulary) for text in said]
        async with self._isolation.trial(stream, Stage.TRANSLATION):
            translated = [done.text for done in await self._model.run(lambda: self._timed(requests))]
        await self._publisher.store_and_publish(
            stream, summaries.store_translation, stream.lease, summary.pk, target, said, translated=translated
        )

    async def _wanted(self, stream: MeetingStream) -> list[Untranslated]:
        wanted: list[Untranslated] = []
        for target in sorted(stream.languages_wanted):
            sources = self._sources.get(target, frozenset())
            if sources:
                wanted += await in_database(
                    translations.untranslated, stream.meeting_id, target, sources=sources, limit=CAPTION_BATCH
                )
        return wanted

    def _timed(self, requests: Sequence[TranslationRequest]) -> list[Translation]:
        """Translate a batch, and add up the seconds. Raises ModelAsleep."""
        with self._model.use("translating") as translator:
            return translated(translator, requests)


def translated(translator: Translator, requests: Sequence[TranslationRequest]) -> list[Translation]:
    """Translate the texts together or, on failure, one by one. A text that fails alone stays untranslated.

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
