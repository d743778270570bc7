// The second lock: whatever the first one (no HTML in markdown) let through is text and a few elements of text here. And what
// the page adds to an answer: where a link leads, what a block of code is, tables that scroll inside themselves, formulas.

import DOMPurify from "dompurify";
import { formula } from "./lazy.js";

const RULES = {
  ALLOWED_TAGS: ("a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong table tbody td th thead tr ul").split(" "),
  ALLOWED_ATTR: ["class", "href", "start", "title"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const KEPT_CLASS = /^(hljs-[\w-]+|language-.+|function_|class_|inherited__|formula|display|task|right|center)$/;

export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

export function button(text, act, title = text) {
  const made = element("button", "", text);
  made.type = "button";
  made.dataset.act = act;
  made.ariaLabel = title;
  return made;
}

// The HTML of one block as one element.
export function blockElement(html, text) {
  const fragment = DOMPurify.sanitize(html, RULES);
  for (const one of fragment.querySelectorAll("[class]")) keepClasses(one);
  fragment.querySelectorAll("a").forEach(showAddress);
  fragment.querySelectorAll("span.formula").forEach(fillFormula);
  for (const table of fragment.querySelectorAll("table")) frameTable(table, text);
  for (const code of fragment.querySelectorAll("pre > code")) frameCode(code, text);
  if (fragment.childElementCount === 1) return fragment.firstElementChild;
  const block = element("div");
  block.append(fragment);
  return block;
}

function keepClasses(one) {
  const kept = [...one.classList].filter((name) => KEPT_CLASS.test(name));
  if (kept.length) one.className = kept.join(" ");
  else one.removeAttribute("class");
}

// A link says where it leads, whatever its text says.
function showAddress(link) {
  if (!URL.canParse(link.href)) {
    link.replaceWith(...link.childNodes);
    return;
  }
  const { host, protocol } = new URL(link.href);
  link.title = link.href;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  if (/^https?:$/.test(protocol) && host !== location.host && !link.textContent.includes(host)) link.dataset.host = host;
}

function fillFormula(place) {
  const made = formula(place.textContent, place.classList.contains("display"));
  if (made) place.replaceChildren(made);
}

function frameTable(table, text) {
  const frame = element("div", "table");
  frame.tabIndex = 0;
  frame.role = "group";
  frame.ariaLabel = text("page_table");
  table.replaceWith(frame);
  frame.append(table);
}

function frameCode(code, text) {
  const language = /(?:^| )language-(\S+)/.exec(code.className)?.[1] ?? "";
  const head = element("div", "code-head");
  head.append(element("span", "", language),
    button(text("page_copy"), "copy-code", text("page_copy_code")),
    button(text("page_download"), "download-code", text("page_download_code")));
  const frame = element("div", "code");
  const pre = code.parentElement;
  pre.tabIndex = 0;
  pre.replaceWith(frame);
  frame.append(head, pre);
}
