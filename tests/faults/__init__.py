"""Faults committed to the real product: real processes, real models, real signals, disks, databases and links.

After each one the transcript is that of the undisturbed run, nobody's process died but the culprit's, and viewers heard
of it where `docs/architecture.md` says so.
"""
