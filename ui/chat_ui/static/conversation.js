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
  const STOP_MS = 10_000;

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
  // the conversation, or the settings, that somebody has chosen
  let chosen = null;
  let settings = null;
  // the message box and the settings when the latest question was asked: Gradio speaks of a change a moment after it
  let inputsAsked = "";
  // how often another conversation took the place of what there was
  let changes = 0;
  let isRestored = false;
  const { promise: restored, resolve: announce } = Promise.withResolvers();
  const { promise: attached, resolve: attach } = Promise.withResolvers();

  function keep() {
    // where its answer is found: another tab may have been quicker, and what is here have become a conversation of its own since
    const asked = answer?.growing ? asking.conversation : undefined;
    storage.keep({ id: conversation.id, messages: conversation.messages, asked });
    keepAll();
  }

  // All that belongs to the open conversation: what was said, what is not yet said, and how it is to be answered.
  function keepAll() {
    const { draft, settings } = storage.inputs();
    window.chatKeeping.changed({ ...conversation, draft, settings, files: window.chatAttachments.ready() });
  }

  // Another conversation takes the place of this one, which is kept.
  function change(next, record) {
    changes += 1;
    keepAll();
    endWriting();
    closed = true;
    if (asking) asking.left = true;
    answer = null;
    window.chatRefusals.leave();
    window.chatKeeping.flush();
    conversation = next;
    window.chatKeeping.opened(next.id, record);
    window.chatAttachments.put(record?.files ?? []);
    show(data.settled(next.messages, text("page_interrupted"), text("page_unanswered")));
    shown.toEnd();
  }

  // From the list: what page.py's events do with it, they do in opened().
  function openRecord(record) {
    chosen = record;
    window.gradioInternals.press("open-conversation");
  }

  function choose(values) {
    settings = values;
    window.gradioInternals.press("choose-settings");
  }

  // What stands beside the conversation.
  function startAround(user) {
    window.chatAppearance.start(text);
    window.chatKeys.start();
    window.chatPresets.start(user, { choose, current: () => storage.inputs().settings });
    window.chatLibrary.start(user, {
      open: (record) => {
        openRecord(record);
        window.chatLibrary.close();
      },
      isOpen: (id) => id === conversation.id,
      leave: async (id) => {
        if (id !== conversation.id) return;
        await window.chatKeeping.removed();
        openRecord({ ...data.begin(), settings: storage.inputs().settings });
      },
      newId: data.newId,
      download: data.download,
    });
  }

  function show(messages) {
    conversation = { ...conversation, messages };
    shown.show(messages);
    keep();
  }

  // Puts what there is of the answer into the conversation.
  function put(changed) {
    const messages = conversation.messages.slice(0, -1);
    const kept = answer?.versions ? { versions: answer.versions, version: answer.version } : {};
    answer = { ...changed, ...kept };
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
      if (asking.kind === "typed") window.chatAttachments.put(asking.messages.at(-1).files);
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
    const at = asking.messages.length;
    const made = { id: asking.turn, role: "assistant", text: asking.begun, growing: true };
    const again = { retried: at, edited: at - 1 }[asking.kind];
    const messages = [...asking.messages, made];
    if (again !== undefined) messages[again] = data.withVersions(asking.before, again, messages[again]);
    if (asking.kind === "continued") Object.assign(made, asking.versions);
    answer = messages[at];
    if (asking.kind === "typed") window.chatAttachments.put([]);
    show(messages);
    shown.toEnd();
  }

  function end(changed = answer) {
    put(changed);
    show(conversation.messages);
    window.chatKeeping.answered(conversation);
    gauge();
    window.chatBanner.askStatus();
  }

  // Sends a question, when what was before it is over. `messages` is what the conversation then is.
  async function send(kind, messagesWith, draft = "", more = {}) {
    const before = changes;
    await restored;
    await window.chatKeeping.titled();
    if (changes !== before) return;
    const waits = asking && !asking.heard && !asking.over && !asking.left;
    if (waits || answer?.growing) return;
    const messages = messagesWith();
    if (!messages) return;
    const mine = { kind, messages, draft, begun: "", turn: data.newId(), over: false, done: Promise.withResolvers(), ...more };
    asking = mine;
    if (running) {
      await running.done.promise;
      await cancelled();
      await new Promise((resolve) => setTimeout(resolve, SAID_MS));
    }
    if (asking !== mine || mine.left) return;
    trigger();
    window.chatBanner.askStatus();
  }

  // An answer that was cut goes on.
  function goOn(id) {
    const last = conversation.messages.at(-1);
    if (last?.id !== id) return;
    const { text: begun, versions, version } = last;
    send("continued", () => conversation.messages.slice(0, -1), "", { turn: id, begun, versions: { versions, version } });
  }

  function correct(id, said) {
    if (said.trim() && !answer?.growing) show(data.corrected(conversation, id, said));
  }

  function turn(id, step) {
    if (!answer?.growing) show(data.turned(conversation, id, step));
  }

  function gauge() {
    if (conversation && !answer?.growing) window.chatGauge.changed(data, conversation, storage.inputs().settings);
  }

  // The page is back: the replica may still be writing what it wrote when the page went away.
  function takeUp(messages) {
    answer = messages.at(-1);
    closed = false;
    asking = {
      kind: "resumed",
      messages: messages.slice(0, -1),
      before: messages.slice(0, -2),
      conversation: found.asked,
      turn: answer.id,
      heard: true,
      over: false,
      done: Promise.withResolvers(),
    };
    show(messages);
    trigger();
  }

  // The person wants no more of it: it would be written on, as for a page that comes back.
  async function endWriting() {
    if (!answer?.growing) return;
    const unwanted = { conversation: asking.conversation, turn: answer.id };
    await window.chatServer.post("stop", unwanted, { timeout: STOP_MS, keepalive: true })
      .catch(() => { /* then it ends by itself, some minutes later */ });
  }

  window.chatPage = {
    // Gradio has made the conversation's place: how to ask the server, and how to hear what it says.
    attach(submit, listen) {
      trigger = submit;
      listen(hear);
      attach();
    },
    // `named` are the buttons by their texts: they are in the browser's language, and may be wanted in another.
    async restore(named) {
      const [user, module] = await Promise.all([window.chatAccount.user, view, attached]);
      data = module;
      found = storage.restore(user);
      const id = found.id || data.newId();
      const record = await window.chatKeeping.start(user, id, {
        newId: data.newId,
        moved: (to) => { conversation = { ...conversation, id: to }; keep(); },
        isBusy: () => Boolean(answer?.growing || (asking && !asking.over && !asking.left)),
        show,
      });
      found.messages = storage.newer(found, record);
      window.chatAccount.show(user, () => {
        const stopped = endWriting();
        storage.forget();
        window.chatPresets.forget();
        return Promise.all([stopped, window.chatKeeping.forget()]);
      });
      shown = data.createView(document.getElementById("conversation-place"), text, {
        retry: (id) => send("retried", () => data.retried(conversation, id)),
        edit: (id, said) => said.trim() && send("edited", () => data.edited(conversation, id, said.trim()), said),
        correct,
        goOn,
        turn,
        example: (said) => send("example", () => data.asked(conversation, said), said),
      });
      conversation = { id, messages: [] };
      startAround(user);
      if (found.messages.at(-1)?.growing) takeUp(found.messages);
      else show(data.settled(found.messages, text("page_interrupted"), text("page_unanswered")));
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
      window.chatAttachments.onChange(() => {
        storage.keep({ files: window.chatAttachments.ready() });
        if (!window.chatAttachments.isReading()) window.chatRefusals.unhint();
        gauge();
      });
      window.chatAttachments.put(found.files);
      window.chatAttachments.start();
      const settingsShown = Object.entries(found.settings).map(([name, value]) => update({
        value, label: text(`page_${name}`), info: text(`page_${name}_info`),
      }));
      const placeholder = window.chatKeys.isPhone() ? "page_message_placeholder_phone" : "page_message_placeholder";
      const box = update({ value: found.draft, placeholder: text(placeholder), label: text("page_message") });
      return [box, ...settingsShown, ...named.map((key) => update({ value: text(key) }))];
    },
    // Gradio has put in place what restore() returned: a question is asked with the settings that were kept.
    restored() {
      isRestored = true;
      announce();
    },
    keepInputs([draft, ...values]) {
      if (JSON.stringify([draft, ...values]) !== inputsAsked) window.chatRefusals.leave();
      const names = Object.keys(window.CHAT.settings);
      // until then the panel shows the defaults, which are nobody's choice
      const shownSettings = isRestored ? { settings: Object.fromEntries(names.map((name, at) => [name, values[at]])) } : {};
      storage.keep({ draft, ...shownSettings });
      if (!conversation) return;
      keepAll();
      gauge();
    },
    // What is in the message box is asked.
    ask(draft) {
      const said = (draft ?? "").trim();
      const files = window.chatAttachments.ready();
      if (window.chatAttachments.isReading()) window.chatRefusals.hint(text("page_file_wait"));
      else if (said || files.length) send("typed", () => data.asked(conversation, said, files), draft);
      return [];
    },
    // Gradio asks the server now, and takes along what is asked.
    question(...values) {
      inputsAsked = JSON.stringify([typed("ask"), ...values]);
      running = asking;
      asking.conversation ??= conversation.id;
      return {
        conversation: asking.conversation,
        turn: asking.turn,
        kind: asking.kind,
        messages: data.forServer({
          resumed: asking.messages.slice(-1),
          continued: [...asking.messages, { role: "assistant", text: asking.begun }],
        }[asking.kind] ?? asking.messages),
      };
    },
    stop() {
      endWriting();
      closed = true;
      if (asking) asking.left = true;
      if (answer?.growing) end(data.ended(answer, text("page_stopped"), text("page_stopped"), "stopped"));
      return [...left, ...idle];
    },
    newChat() {
      if (!conversation) return [...left, ...idle];
      change(data.begin(), null);
      return ["", "", ...idle];
    },
    // A conversation was chosen from the list: it comes with its draft and its settings.
    opened() {
      const { id, messages, draft = "", settings: had } = chosen;
      change({ id, messages }, chosen);
      const names = Object.keys(window.CHAT.settings);
      return [draft, "", ...idle, ...names.map((name) => had?.[name] ?? window.CHAT.settings[name])];
    },
    chosen: () => Object.keys(window.CHAT.settings).map((name) => settings[name]),
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
    turnPage: (direction) => shown?.page(direction),
    // Whether the server is expected to say something.
    isWaiting: () => Boolean(asking && !asking.over && !asking.left),
    // A number was emptied: it is its default again.
    emptied(at) {
      const [name, normal] = Object.entries(window.CHAT.settings).filter(([, value]) => typeof value === "number")[at];
      setTimeout(() => choose({ ...storage.inputs().settings, [name]: normal }), SAID_MS);
    },
    defaultSettings: () => Object.values(window.CHAT.settings),
    toggleSettings: () => window.gradioInternals.toggleSidebar("settings"),
  };
})();
