// SPDX-License-Identifier: Apache-2.0
// What is on the page as a function of what is known: h() describes an element, render() brings the page there
// with as few changes as it can, so that focus, scrolling and what is being typed stay. Text is only ever set as
// text: nothing that a host says becomes markup.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "g", "path", "rect", "line", "circle", "text", "title", "polyline"]);

/** h("p", {class: "x", key: 1, onClick: f, ref: element => …}, …children) */
export function h(tag, properties, ...children) {
  const flat = children.flat(Infinity).filter((child) => child !== null && child !== undefined &&
      child !== false);
  return { tag, properties: properties || {}, children: flat.map((child) => (child.tag ?
      child : String(child))) };
}

function setProperty(element, name, value, before) {
  if (name === "key" || name === "ref") return;
  if (name.startsWith("on")) {
    const event = name.slice(2).toLowerCase();
    if (before) element.removeEventListener(event, before);
    if (value) element.addEventListener(event, value);
  } else if ((name === "value" && element.type !== "radio") || name === "checked") {
    // What somebody types is his until the page means something else.
    if (value !== before || name !== "value") if (element[name] !== value) element[name] = value ?? "";
  } else if (name === "style") {
    for (const [key, one] of Object.entries(value || {})) element.style.setProperty(key, one);
  } else if (value === false || value === null || value === undefined) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value === true ? "" : value);
  }
}

function same(one, other) {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

function update(element, node, before) {
  const old = before.properties;
  for (const name of Object.keys(old)) if (!(name in node.properties)) setProperty(element, name, null,
      old[name]);
  for (const [name, value] of Object.entries(node.properties))
    if (typeof value === "function" || !same(value, old[name])) setProperty(element, name, value, old[name]);
  patch(element, node.children, before.children);
  if (node.properties.ref) node.properties.ref(element);
}

function create(node) {
  if (typeof node === "string") return document.createTextNode(node);
  const element = SVG_TAGS.has(node.tag) ? document.createElementNS(SVG,
      node.tag) : document.createElement(node.tag);
  update(element, node, { properties: {}, children: [] });
  return element;
}

function identity(node, index) {
  if (typeof node === "string") return `text ${index}`;
  return `${node.tag} ${node.properties.key ?? `#${index}`}`;
}

function patch(parent, children, before) {
  const known = new Map();
  let child = parent.firstChild;
  before.forEach((node, index) => {
    known.set(identity(node, index), { node, element: child });
    child = child.nextSibling;
  });
  let at = parent.firstChild;
  children.forEach((node, index) => {
    const there = known.get(identity(node, index));
    known.delete(identity(node, index));
    const element = there ? there.element : create(node);
    if (element === at) at = at.nextSibling;
    else parent.insertBefore(element, at);
    if (!there) return;
    if (typeof node !== "string") update(element, node, there.node);
    else if (node !== there.node) element.data = node;
  });
  for (const { element } of known.values()) element.remove();
}

const shown = new WeakMap();

export function render(node, container) {
  patch(container, [node], shown.get(container) || []);
  shown.set(container, [node]);
}
