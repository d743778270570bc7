// The text of one answer in the page. While it grows, only its last two blocks are read anew: one more line can change no
// block before those (a list goes on after a paragraph that looks like its next number). At its end all of it is read once
// more, since links may be defined below where they are used.

import { blockElement } from "./clean.js";
import { blocksOf } from "./markdown.js";
import { morph } from "./morph.js";

const OPEN_BLOCKS = 2;

export class AnswerText {
  constructor(place, text) {
    this.place = place;
    this.text = text;
    this.shown = "";
    this.final = false;
    this.reset();
  }

  reset() {
    this.env = {};
    // each block's HTML, for all of them, and where in the text the first one begins that may still change
    this.html = [];
    this.closed = 0;
    this.offset = 0;
  }

  show(markdown, final) {
    if (markdown === this.shown && final === this.final) return;
    if (final || !markdown.startsWith(this.shown)) this.env = {}, this.closed = 0, this.offset = 0;
    [this.shown, this.final] = [markdown, final];
    const rest = markdown.slice(this.offset);
    const blocks = blocksOf(rest, this.env);
    blocks.forEach((block, at) => this.put(this.closed + at, block.html));
    this.cut(this.closed + blocks.length);
    const closing = final ? 0 : Math.max(0, blocks.length - OPEN_BLOCKS);
    if (closing) {
      this.offset += startOfLine(rest, blocks[closing].line);
      this.closed += closing;
    }
  }

  // Code or formulas have got what they need to be shown as they should.
  again() {
    const [markdown, final] = [this.shown, this.final];
    this.reset();
    this.shown = "";
    this.show(markdown, final);
  }

  put(at, html) {
    if (this.html[at] === html) return;
    const made = blockElement(html, this.text);
    if (at < this.place.childElementCount) morph(this.place.children[at], made);
    else this.place.append(made);
    this.html[at] = html;
  }

  cut(count) {
    this.html.length = count;
    while (this.place.childElementCount > count) this.place.lastElementChild.remove();
  }
}

function startOfLine(text, line) {
  let at = 0;
  for (let passed = 0; passed < line; passed++) at = text.indexOf("\n", at) + 1;
  return at;
}
