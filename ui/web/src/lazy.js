// What only some answers need comes when the first one does: colours for code, and formulas. Until then code is plain and
// a formula is its source; when it is there, `onArrival` tells those who wait.

import DOMPurify from "dompurify";

const FORMULA_RULES = {
  RETURN_DOM_FRAGMENT: true,
  ADD_TAGS: ["annotation", "semantics"],
  FORBID_TAGS: ["a", "form", "img", "input", "style"],
};
const MOST_KEPT = 500;
const made = new Map();
const listeners = new Set();
let highlighter = null;
let formulas = null;
const wanted = {};

export const onArrival = (listener) => listeners.add(listener);

function arrived() {
  listeners.forEach((listener) => listener());
}

function load(name, use) {
  wanted[name] ??= import(`./${name}.js`).then((module) => {
    use(module);
    arrived();
  }, () => { delete wanted[name]; });
}

// Code as HTML with its colours; "" where there are none (yet).
export function highlighted(code, language) {
  if (!language) return "";
  if (!highlighter) load("highlight", (module) => { highlighter = module; });
  return highlighter?.highlight(code, language) ?? "";
}

// A formula as a fragment; null where there is none (yet).
export function formula(tex, display) {
  if (!formulas) load("formulas", (module) => { formulas = module; });
  if (!formulas) return null;
  const key = `${display} ${tex}`;
  if (!made.has(key)) {
    if (made.size >= MOST_KEPT) made.clear();
    made.set(key, DOMPurify.sanitize(formulas.render(tex, display), FORMULA_RULES));
  }
  return made.get(key).cloneNode(true);
}
