"""Holds the pinned dependencies against the database of known vulnerabilities, where that answers.

pip-audit asks the package index. One that has no such database (a mirror), or none at all, is told as what it is: this
check then says that nothing was audited, and does not fail what was built without a network.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
COMMAND = ("-m", "pip_audit", "--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off")
TIMEOUT_S = 180
PIN = re.compile(r"^[\w.-]+==\S+", re.MULTILINE)


def main() -> int:
    """0: nothing known, or nothing could be asked, which is said; 1: a pinned version is vulnerable."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(pins())
        file.flush()
        return audit(file.name)


def pins() -> str:
    """All of them without their hashes: pip-audit takes either all with hashes or none, and PyTorch has none."""
    texts = (path.read_text(encoding="utf-8") for path in sorted(REPOSITORY.glob("requirements*.lock")))
    return "\n".join(pin for text in texts for pin in PIN.findall(text))


def audit(requirements: str) -> int:
    """The exit code for the pins in that file."""
    try:
        done = subprocess.run(
            [sys.executable, *COMMAND, "--requirement", requirements, "--timeout", "10"],
            cwd=REPOSITORY, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return unaudited("the database does not answer in time")
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return unaudited(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "pip-audit said nothing")
    return judge(dependencies)


def judge(dependencies: list[dict[str, Any]]) -> int:
    """The exit code for what pip-audit found, which is printed."""
    asked = [one for one in dependencies if "skip_reason" not in one]
    if not asked:
        return unaudited("the package index has no database of vulnerabilities")
    vulnerable = [one for one in asked if one["vulns"]]
    for one in vulnerable:
        names = ", ".join(found["id"] for found in one["vulns"])
        print(f"{one['name']} {one['version']}: {names}", file=sys.stderr)
    print(f"audit: {len(asked)} of {len(dependencies)} pinned versions asked about, {len(vulnerable)} vulnerable")
    return 1 if vulnerable else 0


def unaudited(reason: str) -> int:
    """Says that the check did not take place; not a failure of what is checked."""
    print(f"audit: NOT DONE, {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
