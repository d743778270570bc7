// Markdown as a model writes it, as HTML: one string for each block at the outermost level. What looks like HTML is text.

import MarkdownIt from "markdown-it";
import cjkFriendly from "markdown-it-cjk-friendly";
import { formulaRules } from "./formula_rules.js";
import { highlighted } from "./lazy.js";

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{20000}-\u{3fffd}]/gu;
// A line as long as this was wrapped by an editor, and its end means nothing; a shorter one ends where its writer wanted it to.
const WRAPPED_COLUMNS = 60;

const md = new MarkdownIt({ html: false, linkify: true, breaks: false, highlight: highlighted });
md.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
md.use(cjkFriendly).use(formulaRules);

const columns = (text) => text.length + (text.match(WIDE)?.length ?? 0);
const isWide = (character) => character !== undefined && character.search(WIDE) === 0;

// Which ends of lines are to be seen, and which are not even a space
md.core.ruler.after("inline", "line_ends", ({ tokens }) => {
  for (const { children } of tokens) {
    let width = 0;
    for (const [at, token] of (children ?? []).entries()) {
      if (token.type === "softbreak") {
        const [before, after] = [children[at - 1]?.content.at(-1), children[at + 1]?.content.at(0)];
        const between = isWide(before) && isWide(after) ? "" : "\n";
        token.meta = width < WRAPPED_COLUMNS ? "<br>" : between;
      }
      if (token.type === "softbreak" || token.type === "hardbreak") width = 0;
      else width += columns(token.content) + (token.attrGet("href")?.length ?? 0);
    }
  }
});
md.renderer.rules.softbreak = (tokens, at) => tokens[at].meta;

md.core.ruler.after("line_ends", "tasks", ({ tokens }) => {
  for (const [at, token] of tokens.entries()) {
    const first = tokens[at + 2]?.children?.[0];
    if (token.type !== "list_item_open" || tokens[at + 1]?.type !== "paragraph_open" || first?.type !== "text") continue;
    const mark = /^\[([ xX])\](?=\s|$)/.exec(first.content);
    if (!mark) continue;
    first.content = (mark[1] === " " ? "☐" : "☑") + first.content.slice(3);
    token.attrJoin("class", "task");
  }
});

md.renderer.rules.formula = (tokens, at) => {
  const { content, meta, block } = tokens[at];
  const tex = md.utils.escapeHtml(content);
  const span = `<span class="formula${meta.display ? " display" : ""}">${tex}</span>`;
  return block ? `<p>${span}</p>` : span;
};

// A picture would be fetched from wherever the answer says, and could look like a part of the page.
md.renderer.rules.image = (tokens, at, options, env, self) => {
  const alt = md.utils.escapeHtml(self.renderInlineAsText(tokens[at].children ?? [], options, env)) || "…";
  const address = tokens[at].attrGet("src");
  return /^https?:/.test(address) ? `<a href="${md.utils.escapeHtml(address)}">${alt}</a>` : alt;
};

for (const cell of ["th_open", "td_open"]) {
  md.renderer.rules[cell] = (tokens, at, options, env, self) => {
    const side = /right|center/.exec(tokens[at].attrGet("style") ?? "");
    tokens[at].attrs = side && [["class", side[0]]];
    return self.renderToken(tokens, at, options);
  };
}

// The blocks of a text: each with the line in which it begins, and its HTML.
export function blocksOf(text, env) {
  const tokens = md.parse(text, env);
  const blocks = [];
  let [begin, depth] = [0, 0];
  for (const [at, token] of tokens.entries()) {
    depth += token.nesting;
    if (depth > 0) continue;
    const own = tokens.slice(begin, at + 1);
    blocks.push({ line: own[0].map?.[0] ?? 0, html: md.renderer.render(own, md.options, env) });
    begin = at + 1;
  }
  return blocks;
}
