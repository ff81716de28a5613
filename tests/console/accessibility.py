# SPDX-License-Identifier: Apache-2.0
"""What a page owes to those who do not see it as others do. Names of controls are computed by the
browser; contrast and structure are judged in the page."""
from pathlib import Path

NAMED = {"button", "link", "textbox", "combobox", "checkbox", "radio", "spinbutton", "image", "dialog",
         "region"}
IN_PAGE = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def by_axe(page, path):
    """What axe-core (its one file, axe.min.js) finds serious or critical."""
    if not page.run("Boolean(window.axe)"):
        page.run(Path(path).read_text(encoding="utf-8") + "; true")
    return page.run("""axe.run(document).then(found => found.violations
        .filter(one => ["serious", "critical"].includes(one.impact))
        .map(one => `${one.id}: ${one.nodes.map(node => node.html.slice(0, 120)).join(" | ")}`))""")


def complaints(page):
    """What is wrong, as sentences."""
    found = []
    for node in page.ask("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if node.get("ignored") or role not in NAMED:
            continue
        if not (node.get("name", {}).get("value") or "").strip():
            found.append(f"a {role} without a name")
    return found + page.run(IN_PAGE)
