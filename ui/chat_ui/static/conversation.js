// What the page's events do in the browser: the conversation comes back, a question goes out, its answer grows and ends.
// page.py says which event calls what; a function returns what its components are to show. How a conversation looks is the
// view's business (ui/web).
(() => {
  const { cancelled, typed, update } = window.gradioInternals;
  const { language, text } = window.chatTexts;
  const storage = window.chatStorage;
  // from its event's end Gradio takes a moment to say all that it says of it
  const SAID_MS = 50;
  // the last word on an answer may come after Gradio's own that it is over
  const LAST_WORD_MS = 300;

  const view = import(new URL(window.CHAT.view, document.baseURI));
  // for the message box, the notice, Send and Stop
  const left = [update({}), update({})];
  const idle = [update({ visible: true }), update({ visible: false })];
  // the view's module, and what it shows
  let data = null;
  let shown = null;
  let conversation = null;
  // the latest question: what goes to the server, and the conversation with it; and whether Gradio is done with it
  let asking = null;
  // the one that Gradio has: the next waits until it is done
  let running = null;
  // the latest answer that the server has spoken of, and whether the person wants to hear no more of it
  let answer = null;
  let closed = true;
  let trigger = null;
  let found = null;
  const { promise: restored, resolve: announce } = Promise.withResolvers();
  const { promise: attached, resolve: attach } = Promise.withResolvers();

  function keep() {
    storage.keep({ id: conversation.id, messages: conversation.messages });
  }

  function show(messages) {
    conversation = { ...conversation, messages };
    shown.show(messages);
    keep();
  }

  // Puts what there is of the answer into the conversation.
  function put(changed) {
    const messages = conversation.messages.slice(0, -1);
    answer = changed;
    conversation = { ...conversation, messages: [...messages, answer] };
    keep();
  }

  // The server speaks of an answer: all that there is of it.
  function hear(said) {
    if (!said?.turn || !asking) return;
    if (said.turn === asking.turn && !asking.heard) accept();
    if (closed || said.turn !== answer.id) return;
    if (said.state === "refused") {
      closed = true;
      asking.refused = true;
      answer = null;
      show(asking.before);
      return;
    }
    const growing = ["waiting", "writing"].includes(said.state);
    put(Object.fromEntries(Object.entries({
      id: answer.id,
      role: "assistant",
      text: said.text,
      note: said.note,
      left_out: said.left_out,
      figures: said.figures,
      growing,
    }).filter(([name, value]) => name === "text" || value)));
    if (growing) shown.grow(answer);
    else end();
  }

  // From now on the question is in the conversation, and its answer begins.
  function accept() {
    asking.heard = true;
    if (asking.left) return;
    asking.before = conversation.messages;
    closed = false;
    answer = { id: asking.turn, role: "assistant", text: "", growing: true };
    show([...asking.messages, answer]);
    shown.toEnd();
  }

  function end(changed = answer) {
    put(changed);
    show(conversation.messages);
    window.chatBanner.askStatus();
  }

  // Sends a question, when what was before it is over. `messages` is what the conversation then is.
  async function send(kind, messagesWith, draft = "") {
    await restored;
    const waits = asking && !asking.heard && !asking.over && !asking.left;
    if (waits || answer?.growing) return;
    const messages = messagesWith();
    if (!messages) return;
    const mine = { kind, messages, draft, turn: data.newId(), over: false, done: Promise.withResolvers() };
    asking = mine;
    if (running) {
      await running.done.promise;
      await cancelled();
      await new Promise((resolve) => setTimeout(resolve, SAID_MS));
    }
    if (asking === mine && !mine.left) trigger();
  }

  window.chatPage = {
    // Gradio has made the conversation's place: how to ask the server, and how to hear what it says.
    attach(submit, listen) {
      trigger = submit;
      listen(hear);
      attach();
    },
    async restore() {
      const [user, module] = await Promise.all([window.chatAccount.user, view, attached]);
      data = module;
      found = storage.restore(user);
      window.chatAccount.show(user, storage.forget);
      shown = data.createView(document.getElementById("conversation-place"), text, {
        retry: (id) => send("retried", () => data.retried(conversation, id)),
        edit: (id, said) => said.trim() && send("edited", () => data.edited(conversation, id, said.trim()), said),
        example: (said) => send("example", () => data.asked(conversation, said), said),
      });
      conversation = { id: found.id || data.newId(), messages: [] };
      show(data.settled(found.messages, text("page_interrupted"), text("page_unanswered")));
      shown.toEnd();
      // what somebody typed who was quicker than the page
      found.draft = typed("ask") || found.draft;
      document.title = text("page_title");
      document.getElementById("settings-title").textContent = text("page_settings");
      window.gradioInternals.translateToasts({
        heading: text("page_error"),
        lost: text("page_connection_lost"),
      });
      document.documentElement.lang = language;
      announce();
      return [found.draft, ...Object.values(found.settings)];
    },
    keepInputs([draft, ...values]) {
      window.chatRefusals.leave();
      const names = Object.keys(window.CHAT.settings);
      storage.keep({ draft, settings: Object.fromEntries(names.map((name, at) => [name, values[at]])) });
    },
    // What is in the message box is asked.
    ask(draft) {
      const said = (draft ?? "").trim();
      if (said) send("typed", () => data.asked(conversation, said), draft);
      return [];
    },
    // Gradio asks the server now, and takes along what is asked.
    question() {
      running = asking;
      return {
        conversation: conversation.id,
        turn: asking.turn,
        kind: asking.kind,
        messages: data.forServer(asking.messages),
      };
    },
    stop() {
      closed = true;
      if (asking) asking.left = true;
      if (answer?.growing) end(data.ended(answer, text("page_stopped"), text("page_stopped"), "stopped"));
      return [...left, ...idle];
    },
    newChat() {
      closed = true;
      if (asking) asking.left = true;
      answer = null;
      window.chatRefusals.leave();
      conversation = data.begin();
      show([]);
      return ["", "", ...idle];
    },
    // Gradio is done with the question, whichever way; of one that was cancelled it says so several times.
    async finish() {
      const mine = running;
      if (!mine || mine.over) return [...left, ...idle];
      mine.over = true;
      mine.done.resolve();
      const grows = () => answer?.id === mine.turn && answer.growing;
      if (grows()) await new Promise((resolve) => setTimeout(resolve, LAST_WORD_MS));
      if (grows()) end(data.ended(answer, text("page_interrupted"), text("page_unanswered"), "cut"));
      if (asking !== mine) return [...left, update({}), update({})];
      // what was not taken is back in its box; what was typed is there still, unless the server has seen it
      const gone = mine.heard ? mine.refused : mine.kind === "edited";
      if (gone && mine.draft && !mine.left && typed("ask") === "") return [mine.draft, update({}), ...idle];
      return [...left, ...idle];
    },
    defaultSettings: () => Object.values(window.CHAT.settings),
    toggleSettings: () => window.gradioInternals.toggleSidebar("settings"),
  };

  // PageUp and PageDown turn the conversation's pages while somebody writes, too
  document.addEventListener("keydown", (event) => {
    const direction = { PageUp: -1, PageDown: 1 }[event.key];
    if (!direction || !shown || typed("ask").includes("\n") || !event.target.closest("#ask")) return;
    event.preventDefault();
    shown.page(direction);
  });
})();
