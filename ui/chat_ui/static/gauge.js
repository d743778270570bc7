// How much of the model's context the next question would take, by the engine's own count, and what would be left out of it:
// asked for when somebody has stopped typing.
(() => {
  const { language, text } = window.chatTexts;
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
      const response = await fetch(new URL("count", document.baseURI), {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.any([mine.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      if (response.ok) show(await response.json());
    } catch { /* the next count says it */ }
  }

  function show({ used, of, left_out: leftOut }) {
    const place = document.getElementById("gauge");
    const [meter, numbers, warning] = place.children;
    meter.max = of;
    meter.value = Math.min(used, of);
    const files = window.chatAttachments.tokens();
    const said = text("page_context", { used: number(used), of: number(of) });
    numbers.textContent = files ? `${said} · ${text("page_context_files", { tokens: number(files) })}` : said;
    meter.ariaLabel = numbers.textContent;
    warning.textContent = leftOut ?? "";
    place.dataset.full = String(Boolean(leftOut));
    place.hidden = false;
  }

  window.chatGauge = {
    // What would be asked now; null: nothing.
    changed(body) {
      clearTimeout(timer);
      if (body) {
        timer = setTimeout(() => count(body()), REST_MS);
        return;
      }
      asking?.abort();
      document.getElementById("gauge").hidden = true;
    },
  };
})();
