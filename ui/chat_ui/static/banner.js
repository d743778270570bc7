// The banner while the model is not ready, and the model's name and state at the top, from GET /status.
// It polls: every 2 s while something is going on or an answer is awaited, every 15 s when ready, not at all in a hidden tab.
(() => {
  const BUSY_MS = 2000;
  const READY_MS = 15000;
  const BUILDING_MS = 300;
  // a line that is dead is noticed within ten seconds: a poll, its time, and both once more
  const TIMEOUT_MS = 3000;
  const MISSED_MS = 1000;
  const { duration, language, text } = window.chatTexts;
  const { element } = window.chatParts;
  const number = (value, digits) => value.toLocaleString(language, { maximumFractionDigits: digits });
  let misses = 0;
  let timer = null;

  function bytes(n) {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let unit = 0;
    for (; n >= 1000 && unit < units.length - 1; unit++) n /= 1000;
    return `${number(n, unit > 2 ? 1 : 0)} ${units[unit]}`;
  }

  function details(status) {
    const model = status.model ?? {};
    if (status.state === "failed" || model.waiting) return [status.message];
    const parts = [];
    if (model.bytes_total && status.state !== "loading") {
      parts.push(text("page_progress", { done: bytes(model.bytes_done ?? 0), total: bytes(model.bytes_total) }));
      if (model.rate_bytes_per_s) parts.push(text("page_rate", { rate: bytes(model.rate_bytes_per_s) }));
      if (typeof model.eta_s === "number") parts.push(text("page_eta", { time: duration(model.eta_s) }));
    }
    return parts;
  }

  function progress(status) {
    const bar = element("progress", "banner-progress");
    const model = status.model ?? {};
    if (model.bytes_total && ["downloading", "verifying"].includes(status.state)) {
      bar.max = model.bytes_total;
      bar.value = model.bytes_done ?? 0;
    }
    return bar;
  }

  // The appliance's state, and once all is up to the engine the engine's own.
  const stateOf = (status) => (status.state === "loading" && status.engine?.phase) || status.state;

  // Returns whether the page was there to be written to.
  function show(status) {
    const banner = document.getElementById("banner");
    const state = document.getElementById("model-state");
    if (!banner || !state) return false;
    const now = stateOf(status);
    const title = text(`page_state_${now}`);
    state.dataset.state = now;
    state.lastElementChild.textContent = status.state === "ready" ? title : "";
    const name = status.engine?.model_id ?? status.model?.model_id;
    const chip = document.getElementById("model-name");
    chip.hidden = !name;
    chip.textContent = chip.title = name ?? "";
    document.getElementById("brand-name").textContent = text("page_title");

    banner.hidden = status.state === "ready";
    banner.dataset.state = now;
    banner.replaceChildren(...(banner.hidden ? [] : bannerLines(status, now, title)));
    return true;
  }

  function bannerLines(status, now, title) {
    const head = element("div", "banner-head");
    head.append(element("strong", "", title), element("span", "banner-numbers", details(status).join(" · ")));
    const lines = [head];
    if (now === "gone") lines.push(element("div", "banner-hint", text("page_state_gone_detail")));
    else if (!["failed", "unreachable"].includes(now)) {
      lines.push(progress(status), element("div", "banner-hint", text("page_state_detail")));
    }
    return lines;
  }

  async function poll() {
    let wait = BUSY_MS;
    if (!document.hidden) {
      try {
        const response = await fetch(new URL("status", document.baseURI), {
          cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
        const status = await response.json();
        misses = 0;
        if (!show(status)) wait = BUILDING_MS;
        else if (status.state === "ready" && !window.chatPage.isWaiting()) wait = READY_MS;
      } catch {
        // one lost answer is no news: a replica may just have gone, and the next request goes to another
        if (++misses > 1) show({ state: "unreachable" });
        else wait = MISSED_MS;
      }
    }
    // however many polls ran at the same time, one goes on
    clearTimeout(timer);
    timer = setTimeout(poll, wait);
  }

  // An answer is over: if the engine was the reason, the banner says so at once.
  window.chatBanner = { askStatus: poll };

  document.addEventListener("visibilitychange", () => document.hidden || poll());
  // Gradio puts this script into a page that is already there, and builds the controls some time later
  poll();
})();
