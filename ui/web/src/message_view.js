// One message in the page: a question as it was typed, an answer with its text, notes, figures and buttons.

import { AnswerText } from "./answer_text.js";
import { button, element } from "./clean.js";

function note(className) {
  const made = element("p", `chat-note ${className}`);
  made.hidden = true;
  return made;
}

function say(place, text = "") {
  place.hidden = !text;
  if (place.textContent !== text) place.textContent = text;
}

// What both have: versions to turn to, and a box to put what was said in other words.
class MessageView {
  constructor(text) {
    this.text = text;
    this.versions = element("span", "versions");
    this.versions.append(button("‹", "version-before", text("page_version_before")), element("span"),
      button("›", "version-after", text("page_version_after")));
    this.versions.hidden = true;
  }

  showVersions({ versions = [null], version = 0 }) {
    const [before, place, after] = this.versions.children;
    this.versions.hidden = versions.length < 2;
    place.textContent = `${version + 1}/${versions.length}`;
    place.ariaLabel = this.text("page_version", { n: version + 1, of: versions.length });
    before.disabled = version === 0;
    after.disabled = version === versions.length - 1;
  }

  edit() {
    const box = element("textarea");
    box.value = this.message.text;
    box.rows = Math.min(12, this.message.text.split("\n").length + 1);
    box.ariaLabel = this.text("page_edit");
    const tools = element("div", "tools");
    tools.append(button(this.text("page_cancel"), "cancel-edit"), button(this.text("page_submit"), "submit-edit"));
    const form = element("div", "edit");
    form.append(box, tools);
    this.said.hidden = this.tools.hidden = true;
    this.element.append(form);
    box.focus();
    box.addEventListener("keydown", (event) => event.key === "Escape" && this.leaveEdit());
  }

  get editedText() {
    return this.element.querySelector("textarea")?.value ?? "";
  }

  leaveEdit() {
    this.element.querySelector(".edit")?.remove();
    this.said.hidden = this.tools.hidden = false;
    this.tools.querySelector("[data-act=edit]")?.focus();
  }
}

export class QuestionView extends MessageView {
  constructor(message, text) {
    super(text);
    this.message = message;
    this.element = element("article", "question");
    this.element.ariaLabel = text("page_question");
    this.element.dataset.id = message.id;
    this.said = element("div", "bubble", message.text);
    this.said.dir = "auto";
    this.said.hidden = !message.text;
    this.files = element("div", "files");
    for (const { name, tokens } of message.files ?? []) {
      const label = typeof tokens === "number" ? text("page_file_tokens", { name, tokens }) : name;
      this.files.append(element("span", "file-chip", label));
    }
    this.tools = element("div", "tools");
    this.tools.append(this.versions, button(text("page_copy"), "copy"), button(text("page_edit"), "edit"));
    this.element.append(this.files, this.said, this.tools);
    this.update(message);
  }

  update(message) {
    this.message = message;
    this.showVersions(message);
  }

}

export class AnswerView extends MessageView {
  // One that is not `ready` shows its text only in render().
  constructor(message, text, ready) {
    super(text);
    this.ready = ready;
    this.element = element("article", "answer");
    this.element.ariaLabel = text("page_answer");
    this.element.dataset.id = message.id;
    this.leftOut = note("left-out");
    this.said = element("div", "answer-text");
    this.said.dir = "auto";
    this.body = new AnswerText(this.said, text);
    this.working = element("p", "working");
    this.working.append(element("span", "unseen", text("page_working")));
    this.note = note("why");
    this.tools = element("div", "tools");
    this.copy = button(text("page_copy"), "copy");
    this.figures = element("span", "figures");
    this.goOn = button(text("page_continue"), "continue");
    this.goOn.className = "continue";
    this.change = button(text("page_edit"), "edit", text("page_edit_answer"));
    this.tools.append(this.versions, this.copy, button(text("page_retry"), "retry"), this.change, this.figures);
    this.element.append(this.leftOut, this.said, this.working, this.note, this.goOn, this.tools);
    this.update(message);
  }

  update(message) {
    this.message = message;
    say(this.leftOut, message.left_out);
    if (this.ready) this.body.show(message.text, !message.growing);
    this.working.hidden = !message.growing || message.text !== "";
    say(this.note, message.note);
    this.tools.hidden = Boolean(message.growing);
    this.copy.hidden = this.change.hidden = !message.text;
    this.goOn.hidden = Boolean(message.growing) || !message.text || !isPart(message);
    this.showVersions(message);
    if (!message.growing) this.figures.textContent = this.figuresText(message.figures);
  }

  render() {
    this.ready = true;
    this.update(this.message);
  }

  // Whether it has something that would look otherwise now that code or formulas have got what they need.
  get isStale() {
    return this.ready && this.element.querySelector(".formula, .code") !== null;
  }

  refresh() {
    this.body.again();
  }

  figuresText(figures) {
    if (!figures) return "";
    const { text } = this;
    const parts = [text("page_figure_first", { s: figures.first_s.toFixed(1) })];
    if (figures.seconds > 0 && figures.tokens_out > 1) {
      const rate = (figures.tokens_out - 1) / figures.seconds;
      parts.push(text("page_figure_rate", { n: rate.toFixed(rate < 10 ? 1 : 0) }));
    }
    parts.push(text("page_figure_tokens", { in: figures.tokens_in, out: figures.tokens_out }));
    if (ENDINGS.has(figures.ended)) parts.push(text(`page_ended_${figures.ended}`));
    return parts.join(" · ");
  }
}

const CUT = new Set(["length", "stopped", "cut"]);
// An answer that is only a part can go on; one of which nothing is known but that something came between may be one.
const isPart = ({ figures, note: why }) => (figures ? CUT.has(figures.ended) : Boolean(why));
const ENDINGS = new Set(["eos_token", "stop_sequence", "length", "stopped", "cut"]);
