// What the page's events do in the browser: the conversation comes back, a question goes out, an answer ends.
// page.py says which event calls what; a function returns what its components are to show.
(() => {
  const { update } = window.gradioInternals;
  const { language, text } = window.chatTexts;
  const storage = window.chatStorage;

  const note = (key) => ({
    role: "assistant",
    content: [{ type: "text", text: `<span class="chat-note">${text(key)}</span>` }],
    metadata: { id: "note" },
    options: null,
  });

  // The note under a question that waits for a place at the engine.
  const waits = (message) => message?.metadata?.id === "note" && message.metadata.status === "pending";

  // What is left of a conversation whose answer stopped growing: a part of it, or a question without any.
  function settle(messages, noteOnPart, noteOnNothing) {
    const last = messages.at(-1);
    if (waits(last)) return settle(messages.slice(0, -1), noteOnPart, noteOnNothing ?? "page_unanswered");
    if (last?.metadata?.status === "pending") {
      return [...messages.slice(0, -1), { ...last, metadata: {} }, note(noteOnPart)];
    }
    const answered = messages.slice(messages.findLastIndex((message) => message.role === "user") + 1)
      .some((message) => message.role === "assistant" && message.metadata?.id !== "note");
    if (!last || answered || !noteOnNothing) return messages;
    const said = note(noteOnNothing);
    return last.content?.[0]?.text === said.content[0].text ? messages : [...messages, said];
  }

  // After an edit that was refused: the conversation as it was, and the new text in the message box, if that is free.
  function takeBack(messages) {
    const edit = window.chatRefusals.edit();
    if (!edit || !["", edit.value].includes(window.gradioInternals.typed("ask"))) return [messages, update({})];
    const before = [{ type: "text", text: edit.before }];
    return [messages.map((message, at) => (at === edit.at ? { ...message, content: before } : message)), edit.value];
  }

  // for Send, Stop and Retry
  const idle = [update({ visible: true }), update({ visible: false }), update({ interactive: true })];
  let announce = null;
  const restored = new Promise((resolve) => { announce = resolve; });
  // what this browser had when the page came; null until then
  let found = null;
  // what the person did to the latest answer: "stop", "clear" or nothing
  let ending = null;

  window.chatPage = {
    async restore() {
      const user = await window.chatAccount.user;
      found = storage.restore(user);
      announce();
      window.chatAccount.show(user, storage.forget);
      const unanswered = found.messages.at(-1)?.role === "user" ? "page_unanswered" : null;
      found.messages = settle(found.messages, "page_interrupted", unanswered);
      const examples = [1, 2, 3].map((n) => ({ text: text(`page_example_${n}`) }));
      const placeholder = `# ${text("page_welcome")}\n${text("page_welcome_detail")}`;
      // what somebody typed who was quicker than the page
      found.draft = window.gradioInternals.typed("ask") || found.draft;
      document.title = text("page_title");
      window.gradioInternals.translateToasts({
        heading: text("page_error"),
        lost: text("page_connection_lost"),
      });
      document.documentElement.lang = language;
      const shown = update({ value: found.messages, examples, placeholder });
      return [shown, found.draft, ...Object.values(found.settings)];
    },
    keepConversation(messages) {
      window.chatRefusals.leave();
      storage.keep({ messages: messages ?? [] });
    },
    keepInputs([draft, ...values]) {
      window.chatRefusals.leave();
      const names = Object.keys(window.CHAT.settings);
      storage.keep({ draft, settings: Object.fromEntries(names.map((name, at) => [name, values[at]])) });
    },
    // The person asks: the server will answer with the question in the conversation. Who asks before that is there gets it
    // first.
    async ask(inputs) {
      if (!found) {
        await restored;
        inputs = [found.messages, inputs[1], ...Object.values(found.settings)];
      }
      ending = null;
      return inputs;
    },
    stop() {
      ending = "stop";
    },
    // The last update of a cancelled answer may still be under way, so it is cleared again in finish().
    newChat() {
      ending = "clear";
      window.chatRefusals.leave();
      return [[], "", "", ...idle];
    },
    // The answer is over, whichever way. Gradio says so three times of one that was cancelled, and shows each time what
    // may be older than what the time before has made of it: each has to come to the same.
    finish(messages) {
      window.chatBanner.askStatus();
      if (ending === "clear") return [[], update({}), "", ...idle];
      const settled = ending === "stop"
        ? settle(messages, "page_stopped", "page_stopped")
        : settle(messages, "page_interrupted", null);
      return [...takeBack(settled), update({}), ...idle];
    },
    defaultSettings: () => Object.values(window.CHAT.settings),
    toggleSettings: () => window.gradioInternals.toggleSidebar("settings"),
  };
})();
