// How much of the model's context the next question would take, by the engine's own count, and what would be left out of it:
// asked for when somebody has stopped typing.
(() => {
  const { language, text } = window.chatTexts;
  const { typed } = window.gradioInternals;
  const REST_MS = 700;
  const TIMEOUT_MS = 10_000;
  const number = (value) => value.toLocaleString(language);
  let timer = null;
  // the count that is under way; a newer one ends it
  let asking = null;

  async function count(body) {
    asking?.abort();
    const mine = new AbortController();
    asking = mine;
    try {
      show(await window.chatServer.post("count", body, { timeout: TIMEOUT_MS, signal: mine.signal }));
    } catch ({ status }) {
      // another failure the next count makes good
      if (status === 413) warn(text("page_too_large"));
    }
  }

  function show({ used, of, left_out: leftOut }) {
    const place = document.getElementById("gauge");
    const [meter, numbers] = place.children;
    meter.max = of;
    meter.value = Math.min(used, of);
    const files = window.chatAttachments.tokens();
    const said = text("page_context", { used: number(used), of: number(of) });
    numbers.textContent = files ? `${said} · ${text("page_context_files", { tokens: number(files) })}` : said;
    meter.ariaLabel = numbers.textContent;
    warn(leftOut ?? "");
  }

  function warn(said) {
    const place = document.getElementById("gauge");
    place.lastElementChild.textContent = said;
    place.dataset.full = String(Boolean(said));
    place.hidden = false;
  }

  window.chatGauge = {
    // What the message box and what is attached would ask has changed, or what was said before it.
    changed(data, conversation, settings) {
      clearTimeout(timer);
      const files = window.chatAttachments.ready();
      const draft = typed("ask").trim();
      const asks = draft || files.length;
      if (asks || conversation.messages.length) {
        const messages = asks ? data.asked(conversation, draft, files) : conversation.messages;
        timer = setTimeout(() => count({ messages: data.forServer(messages), settings }), REST_MS);
        return;
      }
      asking?.abort();
      document.getElementById("gauge").hidden = true;
    },
  };
})();
