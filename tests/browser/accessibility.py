"""What axe-core finds wrong with a page (https://github.com/dequelabs/axe-core, MPL 2.0; the file is in tests/axe)."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.conftest import REPOSITORY

AXE = REPOSITORY / "tests" / "axe" / "axe.min.js"

RUN = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(" ")}`));
}"""


def violations(page: Page) -> list[str]:
    """Rule and place of each; the script comes in beside the page's policy, as a reader's own tool would."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(RUN)
    return found
