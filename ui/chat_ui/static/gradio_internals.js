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
  const CANCEL = "/gradio_api/cancel";
  const CANCEL_MS = 3000;

  // the latest cancellation, and when the server has answered it
  let cancellation = null;
  const send = window.fetch;
  window.fetch = (...request) => {
    const answer = send(...request);
    if (isPosted(CANCEL, ...request)) {
      const late = new Promise((resolve) => setTimeout(resolve, CANCEL_MS));
      cancellation = Promise.race([late, answer.catch(() => null)]);
    }
    return answer;
  };

  const isPosted = (route, address, options) => options?.method === "POST"
    && new URL(address, document.baseURI).pathname.endsWith(route);

  function translate(toast, texts) {
    const [title, message] = [TITLE, TEXT].map((part) => toast.querySelector(part));
    if (message?.textContent === UNSAID) toast.style.display = "none";
    if (message?.textContent.startsWith(LOST)) message.textContent = texts.lost;
    if (title?.textContent.trim() === HEADING) title.firstChild.textContent = `${texts.heading} `;
  }

  window.gradioInternals = {
    // What a `js=` function returns for a component whose properties change
    update: (properties) => ({ __type__: "update", ...properties }),
    // Whether it is with a question that Gradio calls `fetch`
    carriesQuestion: (address, options) => isPosted(QUESTION, address, options),
    // When Gradio has done with what it was told to cancel: a question asked before would count as cancelled, too
    cancelled: () => cancellation,
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
