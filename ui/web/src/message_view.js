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

export class QuestionView {
  constructor(message, text) {
    this.message = message;
    this.text = text;
    this.element = element("article", "question");
    this.element.ariaLabel = text("page_question");
    this.element.dataset.id = message.id;
    this.bubble = element("div", "bubble", message.text);
    this.bubble.dir = "auto";
    this.tools = element("div", "tools");
    this.tools.append(button(text("page_copy"), "copy"), button(text("page_edit"), "edit"));
    this.element.append(this.bubble, this.tools);
  }

  update() {}

  edit() {
    const box = element("textarea");
    box.value = this.message.text;
    box.rows = Math.min(12, this.message.text.split("\n").length + 1);
    box.ariaLabel = this.text("page_edit");
    const tools = element("div", "tools");
    tools.append(button(this.text("page_cancel"), "cancel-edit"), button(this.text("page_submit"), "submit-edit"));
    const form = element("div", "edit");
    form.append(box, tools);
    this.bubble.hidden = this.tools.hidden = true;
    this.element.append(form);
    box.focus();
    box.addEventListener("keydown", (event) => event.key === "Escape" && this.leaveEdit());
  }

  get editedText() {
    return this.element.querySelector("textarea")?.value ?? "";
  }

  leaveEdit() {
    this.element.querySelector(".edit")?.remove();
    this.bubble.hidden = this.tools.hidden = false;
    this.tools.lastElementChild.focus();
  }
}

export class AnswerView {
  // One that is not `ready` shows its text only in render().
  constructor(message, text, ready) {
    this.ready = ready;
    this.text = text;
    this.element = element("article", "answer");
    this.element.ariaLabel = text("page_answer");
    this.element.dataset.id = message.id;
    this.leftOut = note("left-out");
    const body = element("div", "answer-text");
    body.dir = "auto";
    this.body = new AnswerText(body, text);
    this.working = element("p", "working");
    this.working.append(element("span", "unseen", text("page_working")));
    this.note = note("why");
    this.tools = element("div", "tools");
    this.copy = button(text("page_copy"), "copy");
    this.figures = element("span", "figures");
    this.tools.append(this.copy, button(text("page_retry"), "retry"), this.figures);
    this.element.append(this.leftOut, body, this.working, this.note, this.tools);
    this.update(message);
  }

  update(message) {
    this.message = message;
    say(this.leftOut, message.left_out);
    if (this.ready) this.body.show(message.text, !message.growing);
    this.working.hidden = !message.growing || message.text !== "";
    say(this.note, message.note);
    this.tools.hidden = Boolean(message.growing);
    this.copy.hidden = !message.text;
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

const ENDINGS = new Set(["eos_token", "stop_sequence", "length", "stopped", "cut"]);
