#!/usr/bin/env python
"""Django's command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meetings.settings")
    from meetings.cli import main as command_line

    command_line(sys.argv)


if __name__ == "__main__":
    main()
