// Small helpers around the document. Data reaches the page as text only, never as HTML.

/**
 * The one element that matches; the page is wrong if there is none.
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {T}
 */
export function $(selector, root = document) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`nothing matches ${selector}`);
  return /** @type {any} */ (found);
}

/**
 * A new element with a class and text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, className = '', text = '') {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

const SVG = 'http://www.w3.org/2000/svg';

/**
 * One of the pictures at the foot of index.html, hidden from screen readers.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * Shows or hides.
 * @param {Element} node
 * @param {boolean} visible
 */
export function show(node, visible) {
  node.toggleAttribute('hidden', !visible);
}

/**
 * Sets a text only where it differs, so that screen readers and layout are not disturbed.
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Listens for an event that one of our own classes dispatches.
 * @param {EventTarget} target
 * @param {string} type
 * @param {(detail: any) => void} hear
 */
export function on(target, type, hear) {
  target.addEventListener(type, (event) => hear(/** @type {CustomEvent} */ (event).detail));
}
