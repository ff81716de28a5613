// SPDX-License-Identifier: Apache-2.0
// Contrast of every text as WCAG 2 defines it, and the page's structure; sentences about what is wrong.
(() => {
  const parts = (text) => {
    const numbers = text.match(/[\d.]+/g).map(Number);
    return [numbers[0], numbers[1], numbers[2], numbers[3] ?? 1];
  };
  const curve = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = ([red, green, blue]) =>
    0.2126 * curve(red / 255) + 0.7152 * curve(green / 255) + 0.0722 * curve(blue / 255);
  // The first ground below it that hides what is further below.
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour[3] >= 0.7) return colour;
    }
    return [255, 255, 255, 1];
  };
  const bad = new Set();
  const dialog = document.querySelector("dialog[open]");
  for (const element of document.querySelectorAll("body *")) {
    // What cannot be used may be faint; what lies behind a dialog is not to be read.
    if (element.closest("svg, :disabled, fieldset.locked label") || element.closest("dialog") !== dialog) continue;
    const texts = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    const own = texts.map((node) => node.data.trim()).join("");
    if (!own || !element.getClientRects().length) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const [more, less] = [light(parts(style.color)), light(ground(element))].sort((one, other) => other - one);
    const ratio = (more + 0.05) / (less + 0.05);
    if (ratio < (large ? 3 : 4.5))
      bad.add(`contrast ${ratio.toFixed(2)} of "${own.slice(0, 40)}" (${element.className})`);
  }
  const names = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const name of names.filter((one, index) => names.indexOf(one) !== index)) bad.add(`two are called ${name}`);
  const headings = [...document.querySelectorAll("h1, h2, h3, h4")].filter((one) => !one.closest("dialog"));
  const levels = headings.map((one) => Number(one.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) bad.add(`headings of the first level: ${levels}`);
  levels.forEach((level, index) => {
    if (index && level > levels[index - 1] + 1) bad.add(`a heading skips a level: ${levels}`);
  });
  for (const one of document.querySelectorAll("[aria-labelledby]"))
    if (!document.getElementById(one.getAttribute("aria-labelledby")))
      bad.add(`nothing is called ${one.getAttribute("aria-labelledby")}`);
  if (document.querySelectorAll("main").length !== 1) bad.add("not one main part");
  if (!document.documentElement.lang || !document.title) bad.add("no language or title");
  for (const one of document.querySelectorAll(".scroll, .events"))
    if (one.scrollHeight > one.clientHeight + 1 && one.tabIndex < 0) bad.add("what scrolls has no tab stop");
  return [...bad];
})()
