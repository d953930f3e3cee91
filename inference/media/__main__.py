"""`python -m inference.media LIMITS [OPTIONS]`: the child process that decodes the file on its standard input.

LIMITS is `sandbox.Limits` as JSON, OPTIONS `options.DecodeOptions`. Results go to standard output in the format of
`protocol`. An unexpected exception goes to standard error and ends the process.
"""

from __future__ import annotations

import json
import sys

from inference.media.protocol import Failure, Reason
from inference.media.sandbox import Limits, confine, isolate


def main() -> None:
    """Set the limits, load the libraries, drop access to everything except the file, and only then read the file."""
    limits = Limits(**json.loads(sys.argv[1]))
    confine(limits)
    from inference.media.decoder import InputFile, Output, decode
    from inference.media.options import DecodeOptions, TrackChoice
    from inference.media.track import TrackRefused

    asked = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    options = DecodeOptions(**{**asked, "tracks": TrackChoice(asked.get("tracks", TrackChoice.DEFAULT))})
    isolate()
    output = Output(sys.stdout.fileno(), limits.stall_s)
    try:
        decode(InputFile(sys.stdin.fileno(), output), output, limits, options)
    except TrackRefused as refused:
        output.send(refused.failure)
    except MemoryError:
        output.send(Failure(Reason.MEMORY))


if __name__ == "__main__":
    main()
