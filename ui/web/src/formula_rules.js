// Formulas for markdown-it: $x$, \(x\), $$x$$ and \[x\], the last two also as blocks of several lines. A dollar sign that
// is a price or a variable stays text.

const DISPLAY = [["$$", "$$"], ["\\[", "\\]"]];
// "5 for tea and CA": a number, then words
const PROSE = /^[\d.,]+\s+\p{L}{2,}/u;

function isFormula(source, start, end) {
  const inside = source.slice(start, end);
  return inside !== "" && !/^\s|\s$/.test(inside) && !/[A-Za-z\d]/.test(source[end + 1] ?? "")
    && !/[A-Za-z\d$]/.test(source[start - 2] ?? "") && !PROSE.test(inside);
}

// Where a formula with one dollar sign on each side ends; -1 when it is none
function closingDollar(source, start, max) {
  for (let at = start; (at = source.indexOf("$", at)) !== -1 && at < max; at++) {
    if (source[at - 1] === "\\") continue;
    return isFormula(source, start, at) ? at : -1;
  }
  return -1;
}

function push(state, tex, display) {
  const token = state.push("formula", "", 0);
  token.content = tex.trim();
  token.meta = { display };
}

function inline(state, silent) {
  const { src, pos, posMax } = state;
  if (src[pos] !== "$" && src[pos] !== "\\") return false;
  for (const [open, close] of [...DISPLAY, ["\\(", "\\)"]]) {
    if (!src.startsWith(open, pos)) continue;
    const end = src.indexOf(close, pos + 2);
    if (end === -1 || end >= posMax || !src.slice(pos + 2, end).trim()) return false;
    if (!silent) push(state, src.slice(pos + 2, end), open !== "\\(");
    state.pos = end + 2;
    return true;
  }
  if (src[pos] !== "$") return false;
  const end = closingDollar(src, pos + 1, posMax);
  if (end === -1) return false;
  if (!silent) push(state, src.slice(pos + 1, end), false);
  state.pos = end + 1;
  return true;
}

function block(state, startLine, endLine, silent) {
  const start = state.bMarks[startLine] + state.tShift[startLine];
  const pair = DISPLAY.find(([open]) => state.src.startsWith(open, start));
  if (!pair || state.sCount[startLine] - state.blkIndent >= 4) return false;
  const lines = [];
  for (let line = startLine; line < endLine; line++) {
    if (line > startLine && state.sCount[line] < state.blkIndent) return false;
    const from = line === startLine ? start + 2 : state.bMarks[line] + state.tShift[line];
    const content = state.src.slice(from, state.eMarks[line]);
    const end = content.indexOf(pair[1]);
    if (end === -1) {
      lines.push(content);
      continue;
    }
    if (content.slice(end + 2).trim()) return false;
    if (silent) return true;
    lines.push(content.slice(0, end));
    push(state, lines.join("\n"), true);
    state.tokens.at(-1).map = [startLine, line + 1];
    state.tokens.at(-1).block = true;
    state.line = line + 1;
    return true;
  }
  return false;
}

export function formulaRules(md) {
  md.inline.ruler.before("escape", "formula", inline);
  md.block.ruler.before("fence", "formula", block, { alt: ["paragraph", "reference", "blockquote", "list"] });
}
