// Keeps the conversation, the unsent message and the settings in this browser, so that a reload or the loss of a
// replica loses nothing. Gradio's own BrowserState would encrypt the whole conversation at every update with a key
// that the page carries anyway, and would have the server send it twice.
//
// sessionStorage is this tab's own copy (two tabs do not mix); localStorage is the latest one, for a new tab.
// A copy belongs to the person who was signed in: it is removed at sign-out, and when somebody else signs in.
(() => {
  const KEY = "qwen-appliance.chat.1";
  const SAVE_EVERY_MS = 300;
  const language = /^zh/i.test(navigator.language) ? "zh-CN" : "en";
  const text = (key) => window.CHAT.texts[language][key];

  const STORAGES = ["sessionStorage", "localStorage"];
  let kept = { user: null, messages: [], inputs: null };
  let timer = null;
  let forgotten = false;

  function read(user) {
    for (const storage of STORAGES) {
      try {
        const found = JSON.parse(window[storage].getItem(KEY));
        if (!Array.isArray(found?.messages)) continue;
        if ((found.user ?? null) === user) return { ...found, user };
        window[storage].removeItem(KEY);
      } catch { /* storage is off or holds something else: go on without */ }
    }
    return { user, messages: [], inputs: null };
  }

  // From now on this page keeps nothing any more.
  function forget() {
    forgotten = true;
    for (const storage of STORAGES) {
      try {
        window[storage].removeItem(KEY);
      } catch { /* storage is off: nothing was kept */ }
    }
  }

  function write() {
    timer = null;
    if (!restored || forgotten) return;
    const { user, inputs } = kept;
    // storage is full at about 5 million characters: the oldest half goes first, as often as it takes
    for (let messages = kept.messages; ; messages = messages.slice(Math.ceil(messages.length / 2))) {
      try {
        const value = JSON.stringify({ user, messages, inputs });
        sessionStorage.setItem(KEY, value);
        localStorage.setItem(KEY, value);
        return;
      } catch {
        if (!messages.length) return;
      }
    }
  }

  function later() {
    timer ??= setTimeout(write, SAVE_EVERY_MS);
  }

  const note = (key) => ({
    role: "assistant",
    content: [{ type: "text", text: `<span class="chat-note">${text(key)}</span>` }],
    metadata: { id: "note" },
    options: null,
  });

  // What is left of a conversation whose answer stopped growing: a part of it, or a question without any.
  function settle(messages, noteOnPart, noteOnNothing) {
    const last = messages.at(-1);
    if (last?.metadata?.status === "pending") {
      return [...messages.slice(0, -1), { ...last, metadata: {} }, note(noteOnPart)];
    }
    const answered = messages.slice(messages.findLastIndex((message) => message.role === "user") + 1)
      .some((message) => message.role === "assistant" && message.metadata?.id !== "note");
    if (!last || answered || !noteOnNothing) return messages;
    const said = note(noteOnNothing);
    return last.content?.[0]?.text === said.content[0].text ? messages : [...messages, said];
  }

  const update = (props) => ({ __type__: "update", ...props });
  // for Send, Stop and Retry
  const idle = [update({ visible: true }), update({ visible: false }), update({ interactive: true })];
  // until then the controls are empty because they are new, not because the person emptied them
  let restored = false;
  let announce = null;
  const restoring = new Promise((resolve) => { announce = resolve; });
  // what the person did to the latest answer: "stop", "clear" or nothing
  let ending = null;

  window.chatPage = {
    language,
    text,
    async restore() {
      const user = await window.chatAccount.user;
      kept = read(user);
      restored = true;
      announce();
      window.chatAccount.show(user, text, forget);
      const unanswered = kept.messages.at(-1)?.role === "user" ? "page_unanswered" : null;
      kept.messages = settle(kept.messages, "page_interrupted", unanswered);
      const examples = [1, 2, 3].map((n) => ({ text: text(`page_example_${n}`) }));
      const placeholder = `# ${text("page_welcome")}\n${text("page_welcome_detail")}`;
      kept.inputs ??= ["", ...window.CHAT.settings];
      // what somebody typed who was quicker than the page
      kept.inputs[0] = document.querySelector("#ask textarea")?.value || kept.inputs[0];
      document.title = text("page_title");
      window.chatPage.watchToasts();
      document.documentElement.lang = language;
      return [update({ value: kept.messages, examples, placeholder }), ...kept.inputs];
    },
    keepConversation(messages) {
      if (!restored) return;
      kept.messages = messages ?? [];
      later();
    },
    keepInputs(values) {
      if (!restored) return;
      kept.inputs = values;
      later();
    },
    // The person asks: the server will answer with the question in the conversation. Who asks before that is there gets it
    // first.
    async ask(inputs) {
      if (!restored) {
        await restoring;
        inputs = [kept.messages, inputs[1], ...kept.inputs.slice(1)];
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
      return [[], "", "", ...idle];
    },
    // The answer is over, whichever way. Gradio says so three times of one that was cancelled, and shows each time what
    // may be older than what the time before has made of it: each has to come to the same.
    finish(messages) {
      window.chatPage.askStatus();
      if (ending === "clear") return [[], update({}), "", ...idle];
      const settled = ending === "stop"
        ? settle(messages, "page_stopped", "page_stopped")
        : settle(messages, "page_interrupted", null);
      return [settled, update({}), update({}), ...idle];
    },
    defaultSettings: () => window.CHAT.settings,
    toggleSettings() {
      document.querySelector("#settings .toggle-button")?.click();
    },
  };
  addEventListener("pagehide", write);
  // Another tab has signed out, or somebody else has signed in there.
  addEventListener("storage", (event) => {
    if (event.key !== KEY || event.newValue !== null) return;
    forget();
    location.reload();
  });
})();
