// The list of conversations at the page's side: find, open, rename, pin, delete and take back, export and import. What is kept is
// database.js's business; which conversation is open, conversation.js's.
(() => {
  const { language, text } = window.chatTexts;
  const { button, element } = window.chatParts;
  const { all, put, reason, remove, save } = window.chatDatabase;
  const UNDO_MS = 10_000;
  const SEARCH_MS = 200;
  // set by start(): open(record), isOpen(id), leave(id), newId, download(name, content)
  let wants = null;
  let user = null;
  let records = [];
  // those that are listed, with what is said of them
  let shown = [];
  let searched = "";
  let takenBack = null;
  // the conversation whose menu is open, and whether one is being renamed: a list that is made anew leaves both alone
  let menu = null;
  let renaming = false;
  const date = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });
  const part = (id) => document.getElementById(id);

  const say = (key, values) => { part("library-said").textContent = key ? text(key, values) : ""; };

  // Does it to what is kept, and lists what then is; where it fails, that is said.
  async function attempt(work) {
    say("");
    try {
      await work();
    } catch (error) {
      say(reason(error));
    }
    await load();
  }

  async function load() {
    if (!wants) return;
    const found = await all().catch(() => []);
    records = found.filter((one) => (one.user ?? null) === user && one.messages.length)
      .sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.changed - a.changed);
    show();
  }

  const folded = (said) => said.toLocaleLowerCase(language);

  // Where a conversation says what is searched for: a few words around it; null where it does not.
  function excerpt({ title, messages }) {
    if (!searched) return "";
    if (folded(title).includes(searched)) return "";
    for (const message of messages) {
      const at = folded(message.text).indexOf(searched);
      if (at >= 0) return `…${message.text.slice(Math.max(0, at - 30), at + searched.length + 40).replace(/\s+/g, " ")}…`;
    }
    return null;
  }

  function show() {
    if (renaming) return;
    shown = records.map((record) => [record, excerpt(record)]).filter(([, said]) => said !== null);
    const held = focused();
    const rows = shown.map(row);
    const nothing = element("li", "library-nothing", text(searched ? "page_library_not_found" : "page_library_empty"));
    part("library-list").replaceChildren(...(rows.length ? rows : [nothing]));
    if (held) focus(held);
  }

  // The conversation in whose row the keyboard is: it stays there when the list is made anew.
  function focused() {
    const line = part("library-list").contains(document.activeElement) && document.activeElement.closest(".library-row");
    return line ? { id: line.dataset.id, onMenu: !document.activeElement.matches(".library-open") } : null;
  }

  function focus({ id, onMenu }) {
    const place = shown.findIndex(([record]) => record.id === id);
    if (place < 0) return;
    const [open, more] = part("library-list").children[place].children;
    (onMenu ? more.firstElementChild : open).focus();
  }

  function row([record, said]) {
    const line = element("li", "library-row");
    line.dataset.id = record.id;
    const open = button("", () => wants.open(record));
    open.className = "library-open";
    open.replaceChildren(element("span", "library-title", (record.pinned ? "★ " : "") + (record.title || text("page_untitled"))),
      element("small", "", said || date.format(record.changed)));
    if (wants.isOpen(record.id)) open.setAttribute("aria-current", "true");
    const more = element("details", "library-more");
    const summary = element("summary", "", "⋯");
    summary.ariaLabel = text("page_library_more", { title: record.title });
    more.open = menu === record.id;
    // one menu at a time
    summary.addEventListener("click", (event) => {
      event.preventDefault();
      menu = menu === record.id ? null : record.id;
      show();
      focus({ id: record.id, onMenu: true });
    });
    more.append(summary, menuOf(line, record));
    line.append(open, more);
    return line;
  }

  function menuOf(line, record) {
    const act = (key, does) => button(text(key), () => {
      menu = null;
      does();
    });
    const made = element("div", "library-acts");
    made.append(
      act("page_rename", () => rename(line, record)),
      act(record.pinned ? "page_unpin" : "page_pin", () => change(record, { pinned: !record.pinned })),
      act("page_export_markdown", () => exportOne(record, "md")),
      act("page_export_json", () => exportOne(record, "json")),
      act("page_delete", () => removeOne(record)),
    );
    return made;
  }

  const change = ({ id, revision }, changes) => attempt(() => save(id, revision, changes, wants.newId));

  function rename(line, record) {
    const box = element("input", "library-rename");
    box.value = record.title;
    box.maxLength = 200;
    box.ariaLabel = text("page_rename");
    renaming = true;
    const end = (keep) => {
      if (!renaming) return;
      renaming = false;
      const title = box.value.trim();
      if (keep && title && title !== record.title) change(record, { title, titled: true });
      else show();
    };
    box.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") end(false);
    });
    box.addEventListener("blur", () => end(true));
    line.replaceChildren(box);
    box.select();
  }

  const removeOne = (record) => attempt(async () => {
    await wants.leave(record.id);
    await remove(record.id);
    offerUndo(record);
  });

  function offerUndo(record) {
    const place = part("library-undo");
    clearTimeout(takenBack);
    const forget = () => { place.hidden = true; };
    const undo = button(text("page_undo"), async () => {
      forget();
      await attempt(() => put([record]));
      focus({ id: record.id, onMenu: true });
    });
    place.replaceChildren(element("span", "", text("page_deleted", { title: record.title || text("page_untitled") })), undo);
    place.hidden = false;
    undo.focus();
    takenBack = setTimeout(forget, UNDO_MS);
  }

  function exportOne(record, ending) {
    const { fileName, json, markdown } = window.chatTransfer;
    wants.download(fileName(record.title, ending), ending === "md" ? markdown(record) : json([record]));
    show();
  }

  async function importAll(file) {
    let found;
    try {
      found = window.chatTransfer.read(await file.text(), wants.newId);
    } catch {
      say("page_import_failed", { name: file.name });
      return;
    }
    await attempt(async () => {
      await put(found.map((record) => ({ ...record, user })));
      say("page_imported", { n: found.length });
    });
  }

  function toggle(opened = part("library").inert) {
    const panel = part("library");
    panel.inert = !opened;
    panel.dataset.open = String(opened);
    part("library-toggle").ariaExpanded = String(opened);
    if (opened) load().then(() => part("library-search").focus());
    else if (panel.contains(document.activeElement) || document.activeElement === document.body) part("library-toggle").focus();
  }

  function build() {
    const [press, search, file] = ["library-toggle", "library-search", "library-file"].map(part);
    press.textContent = "☰";
    press.title = press.ariaLabel = text("page_library");
    press.ariaExpanded = "false";
    press.setAttribute("aria-controls", "library");
    part("library").ariaLabel = text("page_library");
    search.placeholder = search.ariaLabel = text("page_library_search");
    file.ariaLabel = text("page_import");
    let timer = null;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        searched = folded(search.value.trim());
        show();
      }, SEARCH_MS);
    });
    press.addEventListener("click", () => toggle());
    file.addEventListener("change", () => {
      [...file.files].forEach(importAll);
      file.value = "";
    });
    part("library-foot").replaceChildren(
      button(text("page_export_all"), () => wants.download("conversations.json", window.chatTransfer.json(records))),
      button(text("page_import"), () => file.click()),
    );
    part("library-head").append(button(text("page_close"), () => toggle(false)));
    document.addEventListener("keydown", (event) => event.key === "Escape" && !part("library").inert && toggle(false));
  }

  window.chatLibrary = {
    start(whose, acts) {
      [user, wants] = [whose, acts];
      build();
      window.chatDatabase.onChange(load);
      load();
    },
    load,
    close: () => part("library").inert || toggle(false),
  };
})();
