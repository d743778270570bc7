// Keeps the conversation, the unsent message and the settings in this browser, so that a reload or the loss of a
// replica loses nothing. Gradio's own BrowserState would encrypt the whole conversation at every update with a key
// that the page carries anyway, and would have the server send it twice.
//
// sessionStorage is this tab's own copy (two tabs do not mix); localStorage is the latest one, for a new tab.
// A copy belongs to the person who was signed in: it is removed at sign-out, and when somebody else signs in.
(() => {
  const KEY = "qwen-appliance.chat.1";
  const STORAGES = ["sessionStorage", "localStorage"];
  // Writing takes the longer the longer the conversation is: a twentieth of the time at most
  const SAVE_EVERY_MS = 300;
  const SAVE_SHARE = 20;
  // Settings were once kept by position, in this order after the unsent message
  const ONCE_KEPT = ["system_prompt", "temperature", "top_p", "max_new_tokens", "repetition_penalty"];
  // null until it is known whose they are
  let kept = null;
  let timer = null;
  let took = 0;
  let forgotten = false;

  // A message was once Gradio's, and a note a message of its own: as they are held today (ui/web/src/conversation.js).
  function messagesOf({ messages }) {
    const found = [];
    for (const message of messages.filter((one) => one && typeof one === "object")) {
      if (typeof message.text === "string") found.push(message);
      else addOnceKept(found, message);
    }
    return found;
  }

  function addOnceKept(found, { role, content, metadata }) {
    const text = [content].flat().map((part) => part?.text ?? (typeof part === "string" ? part : "")).join("");
    const id = Array.from({ length: 16 }, () => Math.floor(16 * Math.random()).toString(16)).join("");
    const last = found.at(-1)?.role === "assistant" ? found.at(-1) : null;
    const growing = metadata?.status === "pending" ? { growing: true } : {};
    if (metadata?.id === "note") {
      const said = new DOMParser().parseFromString(text, "text/html").body.textContent;
      if (growing.growing) return;
      if (last) last.note = said;
      else found.push({ id, role, text: "", note: said });
    } else if (last && role === "assistant" && !last.text) {
      // a note that came before the answer said what was left out for it
      found.splice(-1, 1, { id: last.id, role, text, left_out: last.note, ...growing });
    } else found.push({ id, role, text, ...growing });
  }

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
          const { id, asked, at = 0, partial = false } = found;
          return { id, asked, at, partial, messages: messagesOf(found), draft: String(draft ?? ""), files: found.files ?? [], settings: settingsOf(found) };
        }
        window[storage].removeItem(KEY);
      } catch { /* storage is off or holds something else: go on without */ }
    }
    return { at: 0, partial: false, messages: [], draft: "", files: [], settings: settingsOf({}) };
  }

  function write() {
    clearTimeout(timer);
    timer = null;
    if (!kept || forgotten) return;
    const began = performance.now();
    writeAll();
    took = performance.now() - began;
  }

  function writeAll() {
    // storage is full at about 5 million characters: the oldest half goes first, as often as it takes; the whole conversation
    // is in the database (keeping.js)
    for (let { messages } = kept; ; messages = messages.slice(Math.ceil(messages.length / 2))) {
      try {
        const value = JSON.stringify({ ...kept, messages, partial: messages.length < kept.messages.length });
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
      Object.assign(kept, changed, changed.messages ? { at: Date.now() } : {});
      timer ??= setTimeout(write, Math.max(SAVE_EVERY_MS, SAVE_SHARE * took));
    },
    // What a tab had when it went, or what the database has of the conversation, whichever is more or newer.
    newer(copy, record) {
      if (!record || (!copy.partial && copy.messages.length && copy.at >= record.changed)) return copy.messages;
      return record.messages;
    },
    inputs: () => ({ draft: kept?.draft ?? "", settings: kept?.settings ?? {} }),
    forget,
  };
  addEventListener("pagehide", write);
  // Another tab has signed out, or somebody else has signed in there.
  addEventListener("storage", (event) => {
    if (event.key !== KEY || event.newValue !== null) return;
    forget();
    window.chatKeeping?.forget();
    location.reload();
  });
})();
