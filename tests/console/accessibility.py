# SPDX-License-Identifier: Apache-2.0
"""What axe-core finds on a page, by WCAG 2 A and AA and its own best practices."""
from pathlib import Path

RUN = """axe.run(document, {resultTypes: ["violations"]}).then((found) => found.violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => `${one.help}: ${one.nodes.slice(0, 3).map((node) => node.target.join(" ")).join(", ")}`))"""


def complaints(page, build):
    """Serious findings, as sentences. axe-core is among npm's packages of the pages' build."""
    if not page.run("Boolean(window.axe)"):
        axe = Path(build, "web/work/node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
        page.run(f"{axe}; null")
    return page.run(RUN)
