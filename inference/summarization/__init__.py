"""Summaries that cite their sources: `summary` is the public interface, `summarizer` the implementation.

`selection` chooses the content, a chat model (`chat`, `prompts`, `writing`) writes one line per topic, `support` checks
that line against the captions, and `rolling` merges it into the notes.
"""
