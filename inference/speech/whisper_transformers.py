"""Whisper through transformers: the second `asr.Transcriber`. Calls `generate` directly and never uses a pipeline."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inference.audio import SAMPLE_RATE
from inference.models.device import CPU, Device
from inference.models.loading.component import Form
from inference.models.loading.strategy import STRATEGIES, Loaded, Strategy, load
from inference.models.optimization.execution import Execution, torch_device
from inference.models.optimization.flags import Component, FlagChoices
from inference.models.torchaudio_compat import import_transformers
from inference.speech.alignment import attention_path
from inference.speech.asr import DecodedWord, DecodeRequest, Hypothesis, StageSeconds, timed
from inference.speech.decoding import POLICIES, POSITIONS, log_mel, share_batches, spoken_frames
from inference.speech.language_id import choose_language, is_detection_told
from inference.speech.whisper_attention import alignment_heads, attending
from inference.speech.whisper_tokens import Vocabulary
from inference.speech.whisper_weights import TOKENIZER, whisper_component

if TYPE_CHECKING:
    import torch

CPU_BATCH = 4
GPU_BATCH = 16
"""Maximum requests per batch. A decoder step reads all weights once, whatever the batch size."""

MULTILINGUAL = 51_865
"""Minimum vocabulary size of a multilingual Whisper."""


class TransformersTranscriber:
    """`inference.speech.asr.Transcriber` for WhisperForConditionalGeneration, in the hub's or CTranslate2's layout.

    Greedy by default. Requests of one shape (window, language, prompt length) form a batch, so nothing is padded; the
    encoder sees few shapes, because windows are whole seconds. Holds one torch module, `network`, which may be moved
    between calls: inputs follow its weights.
    """

    def __init__(
        self,
        folder: Path,
        *,
        device: Device = CPU,
        runs_on: Device | None = None,
        dtype: str = "",
        wishes: FlagChoices | None = None,
        beams: int = 1,
        strategies: Sequence[Strategy] = STRATEGIES,
    ) -> None:
        """Load onto `device`. `runs_on` is the device that the pool moves it to, and determines its form.

        `wishes` are the choices of `inference.models.optimization.flags`; `dtype`, a torch dtype's name, overrides
        them.

        Raises:
            ModelMissing, ModelCorrupt: the folder does not hold a complete Whisper model.
            SnapshotUnusable, NotMappable: none of `strategies` works.
        """
        import tokenizers
        from faster_whisper.feature_extractor import FeatureExtractor

        self._execution = Execution(Component.SPEECH, runs_on or device, wishes=wishes)
        form = whisper_form(runs_on or device, dtype or self._execution.tuning.precision)
        self.loaded: Loaded = load(whisper_component(folder), form, strategies)
        self.network = self.loaded.network.to(torch_device(device))
        self._execution.prepare(self.network)
        self._features = FeatureExtractor(feature_size=self.network.config.num_mel_bins)
        self._multilingual = self.network.config.vocab_size >= MULTILINGUAL
        tokenizer = tokenizers.Tokenizer.from_file(str((self.loaded.folder or folder) / TOKENIZER))
        self._vocabulary = Vocabulary(tokenizer, multilingual=self._multilingual)
        self._heads = alignment_heads(self.network)
        # `generate` takes unspecified parameters from here, such as the publisher's suppressed tokens and penalties.
        self.network.generation_config = import_transformers().GenerationConfig(
            alignment_heads=[list(head) for head in self._heads]
        )
        self._beams = beams
        self._max_batch = CPU_BATCH if (runs_on or device).kind == "cpu" else GPU_BATCH
        self.stages = StageSeconds()

    def warm_up(self) -> None:
        """Decode a second of silence with every policy, so that the first caption need not allocate memory."""
        silence = np.zeros(SAMPLE_RATE, np.float32)
        for kind in POLICIES:
            self.transcribe([DecodeRequest(kind=kind, start=0, audio=silence, language="en")])
        self.stages = StageSeconds()

    def transcribe(self, requests: Sequence[DecodeRequest]) -> list[Hypothesis]:
        """Return one hypothesis per request, in order. Audio beyond 30 s of a request is ignored."""
        answers: dict[int, Hypothesis] = {}
        with self._execution.step():
            for batch in share_batches(requests, most=self._max_batch):
                answers.update(zip(batch, self._decode([requests[place] for place in batch]), strict=True))
        return [answers[place] for place in range(len(requests))]

    def _decode(self, requests: list[DecodeRequest]) -> list[Hypothesis]:
        started = time.perf_counter()
        self.stages.audio += sum(len(request.audio) for request in requests) / SAMPLE_RATE
        encoded = self._encode(requests)
        with timed(self.stages, "detect"):
            opening = self._open(encoded)
        ranking = self._ranking(requests[0], opening)
        language, certainty = choose_language(requests[0], ranking) if ranking else (requests[0].language or "en", 1.0)
        with timed(self.stages, "decode"):
            written = self._generate(requests, encoded, opening, language)
        with timed(self.stages, "align"):
            words = self._align(requests, encoded, opening, language, [text.tokens for text in written])
        seconds = (time.perf_counter() - started) / len(requests)
        return [
            Hypothesis(
                said,
                language,
                certainty,
                opening.no_speech[row],
                written[row].mean_log_probability,
                seconds,
                opening.likeliest(row) if self._multilingual and is_detection_told(request) else None,
                ranking,
            )
            for row, (request, said) in enumerate(zip(requests, words, strict=True))
        ]

    def _encode(self, requests: list[DecodeRequest]) -> torch.Tensor:
        """Return the encoder's output for the audio, shape (requests, positions, width)."""
        import torch

        frames = POLICIES[requests[0].kind].frames(len(requests[0].audio))
        with timed(self.stages, "features"):
            features = np.stack([log_mel(self._features, request.audio, frames) for request in requests])
        with timed(self.stages, "encode"):
            return encode(self.network, torch.from_numpy(features).to(self.network.device, self.network.dtype))

    def _open(self, encoded: torch.Tensor) -> Opening:
        """Run one decoder step without any preceding text."""
        import torch

        token = torch.full((len(encoded), 1), self._vocabulary.opening, device=encoded.device)
        answer = self.network(encoder_outputs=(encoded,), decoder_input_ids=token, use_cache=True)
        logits = answer.logits[:, -1].float()
        names = self._vocabulary.languages() if self._multilingual else {}
        likely = logits[:, list(names)].softmax(-1).tolist()
        rankings = [sorted(zip(names.values(), row, strict=True), key=lambda pair: -pair[1]) for row in likely]
        no_speech = logits.softmax(-1)[:, self._vocabulary.no_speech].tolist()
        return Opening(no_speech, rankings, answer.past_key_values.cross_attention_cache)

    def _ranking(self, request: DecodeRequest, opening: Opening) -> tuple[tuple[str, float], ...]:
        """Return the languages; none if one was given. A request whose language must be detected has its own batch."""
        return () if request.language or not self._multilingual else tuple(opening.rankings[0])

    def _generate(
        self, requests: list[DecodeRequest], encoded: torch.Tensor, opening: Opening, language: str
    ) -> list[DecodedText]:
        """Run transformers' generic greedy or beam search, without Whisper's own `generate`: prompts are built here."""
        import torch

        transformers = import_transformers()
        prompts = [self._vocabulary.prompt(language, hotwords=request.vocabulary) for request in requests]
        # Beam search would need a copy of the cache per beam, so it computes its own.
        cache = {"past_key_values": opening.fresh_cache()} if self._beams == 1 else {}
        answer = transformers.GenerationMixin.generate(
            self.network,
            encoder_outputs=transformers.modeling_outputs.BaseModelOutput(encoded),
            attention_mask=torch.ones(encoded.shape[:2], dtype=torch.long, device=encoded.device),
            decoder_input_ids=torch.tensor(prompts, device=encoded.device),
            generation_config=self._config(requests[0], prompts[0]),
            **cache,
        )
        scores = self.network.compute_transition_scores(
            answer.sequences, answer.scores, getattr(answer, "beam_indices", None), normalize_logits=True
        )
        return [
            self._read(row[len(prompts[0]) :], score)
            for row, score in zip(answer.sequences.tolist(), scores.tolist(), strict=True)
        ]

    def _config(self, request: DecodeRequest, prompt: list[int]) -> Any:
        """Return the generation settings for `request` and its whole batch."""
        policy = POLICIES[request.kind]
        longest = policy.max_tokens(len(request.audio))
        return import_transformers().GenerationConfig(
            do_sample=False,
            num_beams=self._beams,
            max_new_tokens=max(1, min(POSITIONS - len(prompt), longest)),
            no_repeat_ngram_size=policy.no_repeat,
            suppress_tokens=self._suppressed(),
            begin_suppress_tokens=self._vocabulary.blank(),
            # A prompt with another first token would get this one prepended.
            decoder_start_token_id=prompt[0],
            eos_token_id=self._vocabulary.end,
            pad_token_id=self._vocabulary.end,
            return_dict_in_generate=True,
            output_scores=True,
        )

    def _suppressed(self) -> list[int]:
        """Return all special tokens, including timestamps, and the symbols of sound descriptions."""
        special = range(self._vocabulary.end + 1, self.network.config.vocab_size)
        return sorted({*self._vocabulary.suppressed(), *special})

    def _read(self, generated: list[int], scores: list[float]) -> DecodedText:
        """Return the text. The mean is over the generated tokens, including the end token."""
        end = self._vocabulary.end
        length = generated.index(end) + 1 if end in generated else len(generated)
        tokens = self._vocabulary.plain(generated[:length])
        return DecodedText(tokens, sum(scores[:length]) / max(1, length))

    def _align(
        self,
        requests: list[DecodeRequest],
        encoded: torch.Tensor,
        opening: Opening,
        language: str,
        texts: list[list[int]],
    ) -> list[tuple[DecodedWord, ...]]:
        """Return words with times, in one pass over all texts; shorter ones are padded with the end token.

        Attention is causal, so the padding does not affect the text.
        """
        import torch

        start = [*self._vocabulary.start(language), self._vocabulary.no_timestamps]
        width = max(len(text) for text in texts) + 1
        rows = [[*start, *text, *[self._vocabulary.end] * (width - len(text))] for text in texts]
        with attending(self.network, self._heads) as attention:
            logits = self.network(
                encoder_outputs=(encoded,),
                decoder_input_ids=torch.tensor(rows, device=encoded.device),
                past_key_values=opening.fresh_cache(),
                use_cache=True,
            ).logits
        # The output at each position predicts the next token.
        before = len(start) - 1
        chances = logits[:, before:, : self._vocabulary.end].float().softmax(-1)
        words = []
        for row, (request, text) in enumerate(zip(requests, texts, strict=True)):
            weights = attention.weights(row, opening.cross, frames=spoken_frames(len(request.audio)) // 2)
            path = attention_path(weights[:, before : before + len(text) + 1]) if text else []
            sure = [float(chances[row, place, token]) for place, token in enumerate(text)]
            words.append(self._vocabulary.words(text, language=language, alignment=path, probabilities=sure))
        return words


@dataclass(frozen=True, slots=True)
class Opening:
    """Result of the first decoder step."""

    no_speech: list[float]
    """Probability for each request."""
    rankings: list[list[tuple[str, float]]]
    """For each request all languages with their probability, the likeliest first; empty for an English-only model."""
    cross: Any
    """Keys and values of the audio, computed once and reused."""

    def likeliest(self, row: int) -> tuple[str, float]:
        """Return the first entry of a ranking."""
        return self.rankings[row][0]

    def fresh_cache(self) -> Any:
        """Return a cache with the audio but without tokens."""
        transformers = import_transformers()
        return transformers.EncoderDecoderCache(transformers.DynamicCache(), self.cross)


@dataclass(frozen=True, slots=True)
class DecodedText:
    """One generated text."""

    tokens: list[int]
    """Without special tokens."""
    mean_log_probability: float


def encode(network: Any, features: torch.Tensor) -> torch.Tensor:
    """Return the encoder's states, shape (batch, frames / 2, width), for log-mel features, shape (batch, mels, frames).

    transformers' own forward only accepts windows of 30 s; its layers accept any length.
    """
    from torch.nn import functional

    encoder = network.get_encoder()
    states = functional.gelu(encoder.conv1(features))
    states = functional.gelu(encoder.conv2(states)).transpose(1, 2)
    states = states + encoder.embed_positions.weight[: states.shape[1]]
    for layer in encoder.layers:
        states = layer(states, None)
    normed: torch.Tensor = encoder.layer_norm(states)
    return normed


def whisper_form(device: Device, dtype: str = "") -> Form:
    """Return the form of Whisper in memory to run on `device`."""
    return Form(device.kind, dtype or ("float32" if device.kind == "cpu" else "float16"))
