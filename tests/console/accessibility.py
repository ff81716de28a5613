# SPDX-License-Identifier: Apache-2.0
"""What a page owes to those who do not see it as others do. Names of controls are computed by the
browser; contrast and structure are judged in the page."""
from pathlib import Path

NAMED = {"button", "link", "textbox", "combobox", "checkbox", "radio", "spinbutton", "image", "dialog",
         "region"}
IN_PAGE = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


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
