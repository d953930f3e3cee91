"""Programs: their tokens, the transcriptions endpoint, webhooks."""
