"""Tests of everything, by the packages that they test."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
