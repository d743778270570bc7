// What the page's scripts use of Gradio's page though Gradio does not document it. The stylesheet's part is in
// gradio_internals.css; tests/unit/chat_ui/test_chat_ui_gradio_internals.py looks for the names in the Gradio that is
// installed.
(() => {
  const TOASTS = ".toast-wrap";
  const FAULT = ".toast-body.error";
  const TITLE = ".toast-title";
  const TEXT = ".toast-message-text";
  const LOST = "Connection to the server was lost";
  const HEADING = "Error";
  const QUESTION = "/gradio_api/queue/join";
  const UNSAID = "the page has said it";
  const SIDEBAR_TOGGLE = ".toggle-button";

  const ANSWER = "#conversation .md";
  const FORMULA = ".katex, .katex-display";
  const COPY = "copy_code_button";
  const FRAME = "code_wrap";

  function translate(toast, texts) {
    const [title, message] = [TITLE, TEXT].map((part) => toast.querySelector(part));
    if (message?.textContent === UNSAID) toast.style.display = "none";
    if (message?.textContent.startsWith(LOST)) message.textContent = texts.lost;
    if (title?.textContent.trim() === HEADING) title.firstChild.textContent = `${texts.heading} `;
  }

  window.gradioInternals = {
    // What a `js=` function returns for a component whose properties change
    update: (properties) => ({ __type__: "update", ...properties }),
    // What Gradio makes of markdown, and what it puts into it of its own
    answers: {
      elementsOf: (added) => (added.parentElement?.closest(ANSWER)
        ? [added, ...added.querySelectorAll("*")] : [...added.querySelectorAll(`${ANSWER} *`)]),
      isFormula: (element) => element.closest(FORMULA) !== null && !element.matches("form, input, button, select, textarea, a, img"),
      isCopyButton: (element) => {
        const button = element.closest("button");
        return button?.classList.contains(COPY) === true && button.parentElement?.classList.contains(FRAME) === true
          && button.querySelector(":scope *:not(svg, svg *, span)") === null;
      },
      isFrame: (name) => name === FRAME,
    },
    // Whether it is with a question that Gradio calls `fetch`
    carriesQuestion: (address, options) => options?.method === "POST" && new URL(address, document.baseURI).pathname.endsWith(QUESTION),
    // What was edited for it: where, the text now, and the text before; undefined where nothing was
    editIn({ body }) {
      const { index, value, previous_value: before } = JSON.parse(body).event_data ?? {};
      return before === undefined ? undefined : { at: Number(index), value, before };
    },
    // An answer to it of which Gradio makes a failure, and shows nothing
    refusal: () => new Response(JSON.stringify({ error: UNSAID }), { status: 400, headers: { "Content-Type": "application/json" } }),
    typed: (id) => document.querySelector(`#${id} textarea`)?.value ?? "",
    toggleSidebar: (id) => document.querySelector(`#${id} ${SIDEBAR_TOGGLE}`)?.click(),
    // What Gradio says in English only when it has lost its server; it then loads the page anew by itself.
    translateToasts(texts) {
      const toasts = document.querySelector(TOASTS);
      if (!toasts) return;
      const translateAll = () => toasts.querySelectorAll(FAULT).forEach((toast) => translate(toast, texts));
      new MutationObserver(translateAll).observe(toasts, { childList: true, subtree: true });
    },
  };
})();
