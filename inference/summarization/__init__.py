"""Summaries that cite what they say: `summary` is what callers see, `summarizer` does it.

First `selection` chooses what is worth telling; then a chat model (`chat`, `prompts`, `writing`) puts each topic into
one line; `support` holds that line against the captions; `rolling` joins it to the notes.
"""
