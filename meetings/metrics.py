"""What each process counts for Prometheus. Never a caption, a name or a token."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

viewers = Gauge("parlance_viewers", "Sockets that read captions in this process, hosts included")
viewers_held_back = Counter("parlance_viewers_held_back", "Times a viewer stopped confirming and was held back")
hosts = Gauge("parlance_hosts", "Host sockets in this process")
frames = Counter("parlance_frames", "Audio frames by what the log did with them", ["outcome"])
errors = Counter("parlance_errors", "Errors told to a person or a program, by code", ["code"])
loop_errors = Counter(
    "parlance_loop_errors", "Errors of supervised loops: database or broker away, or a failure", ["loop", "kind"]
)


def loop_error_counts() -> dict[str, int]:
    """Return how often each loop of this process failed, by `loop kind`. Workers report it to the broker."""
    samples = (
        sample for family in loop_errors.collect() for sample in family.samples if sample.name.endswith("_total")
    )
    return {f"{sample.labels['loop']} {sample.labels['kind']}": int(sample.value) for sample in samples}
