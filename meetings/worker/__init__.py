"""The inference worker: lease meetings, then transcribe, diarize, translate and summarize them."""
