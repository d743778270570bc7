// Keeps the conversation, the unsent message and the settings in this browser, so that a reload or the loss of a
// replica loses nothing. Gradio's own BrowserState would encrypt the whole conversation at every update with a key
// that the page carries anyway, and would have the server send it twice.
//
// sessionStorage is this tab's own copy (two tabs do not mix); localStorage is the latest one, for a new tab.
// A copy belongs to the person who was signed in: it is removed at sign-out, and when somebody else signs in.
(() => {
  const KEY = "qwen-appliance.chat.1";
  const STORAGES = ["sessionStorage", "localStorage"];
  const SAVE_EVERY_MS = 300;
  // Settings were once kept by position, in this order after the unsent message
  const ONCE_KEPT = ["system_prompt", "temperature", "top_p", "max_new_tokens", "repetition_penalty"];
  // null until it is known whose they are
  let kept = null;
  let timer = null;
  let forgotten = false;

  // Each of today's settings: as it was kept, else its default.
  function settingsOf(found) {
    const { inputs } = found;
    const was = Array.isArray(inputs)
      ? Object.fromEntries(ONCE_KEPT.map((name, at) => [name, inputs[at + 1]]))
      : found.settings ?? {};
    const defaults = Object.entries(window.CHAT.settings);
    return Object.fromEntries(defaults.map(([name, normal]) => [
      name, Object.hasOwn(was, name) && typeof was[name] === typeof normal ? was[name] : normal,
    ]));
  }

  function read(user) {
    for (const storage of STORAGES) {
      try {
        const found = JSON.parse(window[storage].getItem(KEY));
        if (!Array.isArray(found?.messages)) continue;
        if ((found.user ?? null) === user) {
          const draft = found.draft ?? found.inputs?.[0];
          return { messages: found.messages, draft: String(draft ?? ""), settings: settingsOf(found) };
        }
        window[storage].removeItem(KEY);
      } catch { /* storage is off or holds something else: go on without */ }
    }
    return { messages: [], draft: "", settings: settingsOf({}) };
  }

  function write() {
    timer = null;
    if (!kept || forgotten) return;
    // storage is full at about 5 million characters: the oldest half goes first, as often as it takes
    for (let { messages } = kept; ; messages = messages.slice(Math.ceil(messages.length / 2))) {
      try {
        const value = JSON.stringify({ ...kept, messages });
        sessionStorage.setItem(KEY, value);
        localStorage.setItem(KEY, value);
        return;
      } catch {
        if (!messages.length) return;
      }
    }
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

  window.chatStorage = {
    // What this browser has of `user`'s: messages, draft, and settings by name in the panel's order.
    restore(user) {
      kept = { user, ...read(user) };
      return kept;
    },
    // Until it is known whose page this is, its controls are empty because they are new.
    keep(changed) {
      if (!kept) return;
      Object.assign(kept, changed);
      timer ??= setTimeout(write, SAVE_EVERY_MS);
    },
    forget,
  };
  addEventListener("pagehide", write);
  // Another tab has signed out, or somebody else has signed in there.
  addEventListener("storage", (event) => {
    if (event.key !== KEY || event.newValue !== null) return;
    forget();
    location.reload();
  });
})();
