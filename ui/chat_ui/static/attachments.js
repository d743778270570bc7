// Files that go with the next question: chosen, dropped or pasted; the server takes their text out (POST /files), and the page
// keeps it. What is shown of them above the message box, and nothing else.
(() => {
  const { text } = window.chatTexts;
  const { button, element } = window.chatParts;
  const TIMEOUT_MS = 60_000;
  const FILE_BYTES = 10 * 2 ** 20;
  const MOST = 10;
  // of the megabyte that a question may be as it is sent (nginx/routes): the rest is for the conversation
  const ALL_BYTES = 768 * 2 ** 10;
  const REASONS = new Set([
    "beyond", "busy", "damaged", "empty", "encrypted", "lying", "scanned", "too_large", "too_many", "too_much", "unknown",
  ]);
  // each { name, state: "reading", "ready" or "failed", text, tokens, cut, reason }
  let files = [];
  let changed = () => {};

  const ready = () => files.filter(({ state }) => state === "ready");

  function set(next) {
    files = next;
    show();
    changed();
  }

  function chip(file) {
    const made = element("span", "file-chip");
    made.dataset.state = file.state;
    const said = file.state === "failed" ? text(`page_file_${file.reason}`, { name: file.name }) : label(file);
    const remove = button("×", () => set(files.filter((one) => one !== file)));
    remove.ariaLabel = text("page_file_remove", { name: file.name });
    made.append(element("span", "", said), remove);
    return made;
  }

  function label({ name, state, tokens, cut }) {
    if (state === "reading") return text("page_file_reading", { name });
    const counted = typeof tokens === "number" ? text("page_file_tokens", { name, tokens }) : name;
    return cut ? `${counted} · ${text("page_file_beginning")}` : counted;
  }

  function show() {
    const place = document.getElementById("attached");
    if (!place) return;
    place.hidden = !files.length;
    place.replaceChildren(...files.map(chip));
  }

  async function read(file) {
    const mine = { name: file.name || text("page_file_pasted"), state: "reading" };
    const isOneTooMany = files.filter(({ state }) => state !== "failed").length >= MOST;
    set([...files, mine]);
    let said = isOneTooMany ? { error: "too_many" } : {};
    if (file.size > FILE_BYTES) said = { error: "too_large" };
    if (!said.error) said = await upload(file, mine.name);
    if (!files.includes(mine)) return;
    if (!said.error && size([...ready(), said]) > ALL_BYTES) said = { error: "beyond" };
    const reason = REASONS.has(said.error) ? said.error : "damaged";
    const done = said.error ? { ...mine, state: "failed", reason } : { ...mine, ...said, state: "ready" };
    set(files.map((one) => (one === mine ? done : one)));
  }

  // How much of a question these are.
  const size = (list) => new TextEncoder().encode(JSON.stringify(list.map(({ text: said }) => said))).length;

  async function upload(file, name) {
    try {
      const response = await fetch(new URL("files", document.baseURI), {
        method: "POST",
        headers: { "Content-Type": "application/octet-stream", "X-File-Name": encodeURIComponent(name) },
        body: file,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.status === 413) return { error: "too_large" };
      if ([429, 502, 503, 504].includes(response.status)) return { error: "busy" };
      return await response.json();
    } catch {
      return { error: "busy" };
    }
  }

  const readAll = (list) => [...list].forEach(read);

  function start() {
    const [press, input] = ["attach", "attach-files"].map((id) => document.getElementById(id));
    press.title = press.ariaLabel = text("page_attach");
    input.ariaLabel = text("page_attach");
    press.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      readAll(input.files);
      input.value = "";
    });
    show();
  }

  document.addEventListener("dragover", (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    event.stopPropagation();
    readAll(event.dataTransfer.files);
  }, true);
  document.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length || !event.target.closest?.("#ask")) return;
    event.preventDefault();
    event.stopPropagation();
    readAll(event.clipboardData.files);
  }, true);

  window.chatAttachments = {
    start,
    // What goes along with a question: names and texts.
    ready: () => ready().map(({ name, text: said, tokens }) => ({ name, text: said, tokens })),
    isReading: () => files.some(({ state }) => state === "reading"),
    tokens: () => ready().reduce((sum, { tokens }) => sum + (tokens ?? 0), 0),
    put: (list) => set((list ?? []).map((file) => ({ ...file, state: "ready" }))),
    onChange: (act) => { changed = act; },
  };
})();
