"""Everything that goes through the broker: the audio log, leases, hints, commands, reports and rate limits."""
