#!/usr/bin/env python
"""Django's command line."""

import gc
import os
import sys

GARBAGE_THRESHOLD = 10_000
"""Objects made, less those freed, after which Python looks for garbage in cycles; its own choice is 700."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "meetings.settings")
    # NumPy's threads wait busily for 100 ms after each of its products, on the cores that the models need
    # (docs/performance.md).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Imports make a great many objects that stay: looking through them again and again is a sixth of a start.
    gc.set_threshold(GARBAGE_THRESHOLD)
    from meetings.exit_codes import BAD_INPUT
    from meetings.management.processor import processor_problem

    if problem := processor_problem():
        print(problem, file=sys.stderr)
        sys.exit(BAD_INPUT)
    try:
        from meetings.management.cli import main as command_line
    except ImportError as error:
        from meetings.management.libraries import library_problem

        print(library_problem(error), file=sys.stderr)
        sys.exit(BAD_INPUT)
    command_line(sys.argv)


if __name__ == "__main__":
    main()
