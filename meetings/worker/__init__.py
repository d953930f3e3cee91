"""The inference process: it leases meetings, transcribes, diarizes, translates and summarizes them."""
