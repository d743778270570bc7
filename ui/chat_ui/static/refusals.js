// A question that the server does not take. Where it comes too early, the page says so and asks again by itself; where it is too
// large, the page says that. What somebody wrote stays where it was written: Gradio waits as for a slow answer, or hears that
// nothing came of it.
(() => {
  const { duration, text } = window.chatTexts;
  const { carriesQuestion, refusal } = window.gradioInternals;
  const AGAIN_SECONDS = 5;
  const TOO_EARLY = { 429: "page_too_many_questions", 503: "page_no_room" };
  const send = window.fetch;
  // ends the wait: true to ask again, false to leave it; null while nobody waits
  let end = null;
  // whether what is said is no refusal, but a word on what somebody has tried
  let isHint = false;

  window.fetch = async (...request) => {
    if (!carriesQuestion(...request)) return send(...request);
    show();
    for (;;) {
      const response = await send(...request);
      if (response.status === 413) show(text("page_too_large"));
      else if (!TOO_EARLY[response.status]) return response;
      if (response.status === 413 || !await mayAskAgain(response)) return refusal();
    }
  };

  function mayAskAgain(response) {
    const said = TOO_EARLY[response.status];
    const until = Date.now() + 1000 * (Number(response.headers.get("Retry-After")) || AGAIN_SECONDS);
    const [line, button] = show(text(said), text("page_do_not_ask_again"));
    return new Promise((resolve) => {
      const tick = () => {
        const seconds = Math.ceil((until - Date.now()) / 1000);
        if (seconds <= 0) end(true);
        else line.textContent = text("page_asks_again", { time: duration(seconds) });
      };
      const timer = setInterval(tick, 1000);
      end = (again) => {
        end = null;
        clearInterval(timer);
        show();
        resolve(again);
      };
      button.addEventListener("click", () => end(false));
      tick();
    });
  }

  // Says it above the message box; with a button, also a line that changes and is not read out each time. Without a text: nothing.
  function show(said, button) {
    isHint = false;
    const place = document.getElementById("refused");
    place.hidden = !said;
    const parts = button ? ["p", "small", "button"] : ["p"];
    const [paragraph, ...more] = said ? parts.map((tag) => document.createElement(tag)) : [];
    if (paragraph) paragraph.textContent = said;
    if (button) {
      more[0].setAttribute("aria-live", "off");
      more[1].textContent = button;
    }
    place.replaceChildren(...(paragraph ? [paragraph, ...more] : []));
    return more;
  }

  function hint(said) {
    if (end) return;
    show(said);
    isHint = true;
  }

  window.chatRefusals = {
    // The person went on to something else: what waits is not asked any more.
    leave: () => end?.(false),
    // Why nothing came of what somebody has tried, until it would.
    hint,
    unhint: () => isHint && show(),
  };
})();
