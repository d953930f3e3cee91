"""Who spoke when: local speakers of a sliding window, a voice print of each, and clustering into speakers."""
