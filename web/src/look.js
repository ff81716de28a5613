// SPDX-License-Identifier: Apache-2.0
// What drawings have to know of the page. They are made in the middle of a frame's changes, where a question to
// the browser for a width or a colour would have it style and lay out the whole page there and then, and once
// more when the frame is done. So widths are told by an observer, and the colours have a name.
import { changed } from "./store.js";

const darkByDefault = matchMedia("(prefers-color-scheme: dark)");

export function theme() {
  return document.documentElement.dataset.theme || (darkByDefault.matches ? "dark" : "light");
}

const widths = new WeakMap();
const observer = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (widths.get(target) === target.clientWidth) continue;
    widths.set(target, target.clientWidth);
    changed();
  }
});

/** Width of an element without padding; asked of the browser once, then as the observer says. */
export function widthOf(element) {
  if (!widths.has(element)) {
    widths.set(element, element.clientWidth);
    observer.observe(element);
  }
  return widths.get(element);
}
