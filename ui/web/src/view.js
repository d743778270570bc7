// The conversation in the page. It shows what it is told and tells what somebody wants; what becomes of it is decided in
// static/conversation.js.

import { backlog } from "./backlog.js";
import { button, element } from "./clean.js";
import { copy, download } from "./clipboard.js";
import { onArrival } from "./lazy.js";
import { AnswerView, QuestionView } from "./message_view.js";
import { paced } from "./pace.js";
import { reader } from "./reader.js";

const COPIED_MS = 1500;
// How many of a conversation's last messages are there as soon as it is; the others follow
const AT_ONCE = 8;
const EXTENSIONS = {
  bash: "sh", c: "c", cpp: "cpp", csharp: "cs", css: "css", diff: "diff", go: "go", html: "html", java: "java", javascript: "js",
  js: "js", json: "json", kotlin: "kt", latex: "tex", markdown: "md", php: "php", powershell: "ps1", python: "py", py: "py",
  ruby: "rb", rust: "rs", sh: "sh", shell: "sh", sql: "sql", svg: "svg", swift: "swift", ts: "ts", typescript: "ts", xml: "xml",
  yaml: "yaml", yml: "yml",
};

// `wants` has retry(id), edit(id, text) and example(text).
export function createView(place, text, wants) {
  const log = element("div", "chat-log");
  const list = element("div", "chat-messages");
  const welcome = element("div", "chat-welcome");
  const arrow = button("↓", "", text("page_to_end"));
  arrow.className = "chat-to-end";
  log.role = "log";
  log.ariaLabel = text("page_conversation");
  log.ariaLive = "polite";
  log.tabIndex = 0;
  log.append(welcome, list);
  place.replaceChildren(log, arrow);

  const views = new Map();
  const where = reader(log, arrow);
  const work = backlog((view, act) => where.keep(view.element, () => act(view)));
  let growing = null;
  const showGrowing = paced(() => {
    if (!growing) return;
    views.get(growing.id)?.update(growing);
    where.follow();
  });

  function welcomeParts() {
    const examples = element("div", "chat-examples");
    for (const n of [1, 2, 3]) examples.append(button(text(`page_example_${n}`), "example"));
    return [element("h2", "", text("page_welcome")), element("p", "", text("page_welcome_detail")), examples];
  }

  function viewOf(message, ready) {
    const View = message.role === "user" ? QuestionView : AnswerView;
    const found = views.get(message.id) ?? new View(message, text, ready);
    if (found.message !== message) found.update(message);
    views.set(message.id, found);
    return found;
  }

  function show(messages) {
    const shown = messages.map((message, at) => viewOf(message, at >= messages.length - AT_ONCE));
    const kept = new Set(shown);
    for (const [id, view] of views) {
      if (kept.has(view)) continue;
      view.element.remove();
      views.delete(id);
    }
    shown.forEach((view, at) => {
      if (list.children[at] !== view.element) list.insertBefore(view.element, list.children[at] ?? null);
    });
    const last = messages.at(-1);
    grow(last?.growing ? last : null);
    welcome.hidden = messages.length > 0;
    welcome.replaceChildren(...(messages.length ? [] : welcomeParts()));
    where.follow();
    work.add(shown.filter((view) => view.ready === false), (view) => view.render());
  }

  function grow(message) {
    growing = message;
    log.ariaBusy = String(message !== null);
    place.dataset.growing = String(message !== null);
    if (message) showGrowing();
  }

  async function copied(pressed, what) {
    if (!await copy(what)) return;
    const [before, label] = [pressed.textContent, pressed.ariaLabel];
    pressed.textContent = pressed.ariaLabel = text("page_copied");
    setTimeout(() => {
      pressed.textContent = before;
      pressed.ariaLabel = label;
    }, COPIED_MS);
  }

  const acts = {
    copy: (pressed, view) => copied(pressed, view.message.text),
    retry: (_, view) => wants.retry(view.message.id),
    edit: (_, view) => view.edit(),
    "cancel-edit": (_, view) => view.leaveEdit(),
    "submit-edit": (_, view) => {
      const said = view.editedText;
      view.leaveEdit();
      wants.edit(view.message.id, said);
    },
    example: (pressed) => wants.example(pressed.textContent),
    "copy-code": (pressed) => copied(pressed, codeBeside(pressed).textContent),
    "download-code": (pressed) => {
      const language = pressed.parentElement.firstElementChild.textContent.toLowerCase();
      download(`code.${EXTENSIONS[language] ?? "txt"}`, codeBeside(pressed).textContent);
    },
  };
  place.addEventListener("click", (event) => {
    const pressed = event.target.closest("button[data-act]");
    const act = acts[pressed?.dataset.act];
    act?.(pressed, views.get(pressed.closest("[data-id]")?.dataset.id));
  });
  onArrival(() => work.add([...views.values()].filter((view) => view.isStale), (view) => view.refresh()));
  document.addEventListener("visibilitychange", () => growing && showGrowing());

  return { show, grow, toEnd: where.toEnd, page: where.page };
}

const codeBeside = (pressed) => pressed.closest(".code").querySelector("pre");
