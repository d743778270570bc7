// Keeps the open conversation among this browser's conversations: saves it when it has changed, has it titled after its first
// answer, and follows what another tab has made of it. Its tab's own copy, for a page that goes at once, is browser_storage.js's.
(() => {
  const { text } = window.chatTexts;
  const database = window.chatDatabase;
  const SAVE_MS = 500;
  const GROWING_SAVE_MS = 5000;
  const TITLE_MS = 60_000;
  const TITLE_CHARS = 60;
  const TITLE_WAIT_MS = 3000;
  // what is open: its id, and what of it is kept
  let open = { id: null, revision: 0, titled: false, messages: null };
  let wants = null;
  let user = null;
  let waiting = null;
  let timer = null;
  let saving = Promise.resolve();
  let forgotten = false;
  // while a title is being written, which would count as one of the person's answers that are
  let titling = null;

  // What is waiting is saved, after what is being saved.
  function flush() {
    clearTimeout(timer);
    timer = null;
    const changes = waiting;
    waiting = null;
    if (changes) saving = saving.then(() => save(changes));
    return saving;
  }

  async function save({ of, messages, draft, settings, files }) {
    if (of.gone || forgotten) return;
    const { id } = of;
    const said = isSame(messages, of.messages) ? {} : { messages };
    try {
      const changes = { user, ...titleOf(of, messages), draft, settings, files, ...said };
      const kept = await database.save(id, of.revision, changes, wants.newId);
      if (!kept) return;
      if (said.messages) Object.assign(of, { id: kept.id, revision: kept.revision, messages });
      else if (kept.revision !== of.revision) follow(id);
      if (kept.id !== id && of === open) wants.moved(kept.id);
      window.chatLibrary.load();
      tell(await database.isNearlyFull() ? "page_storage_nearly_full" : "");
    } catch (error) {
      tell(database.reason(error));
    }
  }

  // Once it is kept, what has not changed is the same list.
  const isSame = (messages, kept) => messages === kept || JSON.stringify(messages) === JSON.stringify(kept);

  function titleOf({ titled }, messages) {
    const first = messages[0]?.text || messages[0]?.files?.[0]?.name || "";
    return titled ? {} : { title: first.trim().split("\n", 1)[0].slice(0, TITLE_CHARS) };
  }

  function tell(key) {
    const place = document.getElementById("storage-said");
    place.textContent = key ? text(key) : "";
    place.hidden = !key;
  }

  // The model is asked for a title once, after the first answer; until then, and where it has none, the question is one.
  async function title(messages) {
    const of = open;
    of.titled = true;
    try {
      const asked = { messages: messages.map(({ role, text: said }) => ({ role, text: said })) };
      const { title: found } = await window.chatServer.post("title", asked, { timeout: TITLE_MS });
      await flush();
      const record = await database.one(of.id);
      if (!record || record.titled || forgotten) return;
      await database.save(record.id, record.revision, { titled: true, ...(found ? { title: found } : {}) }, wants.newId);
      window.chatLibrary.load();
    } catch { /* the question stays its title */ }
  }

  // Another tab has saved a conversation: where it is the one that is open here, and nothing has happened to it here, it is shown.
  async function follow(id) {
    const of = open;
    const isAtRest = () => of === open && id === of.id && !waiting && !wants.isBusy();
    if (!isAtRest()) return;
    await saving;
    const record = await database.one(id).catch(() => null);
    if (!isAtRest() || !record || record.revision === of.revision || record.messages.at(-1)?.growing) return;
    Object.assign(of, { revision: record.revision, titled: record.titled === true, messages: record.messages });
    wants.show(record.messages);
  }

  window.chatKeeping = {
    // `acts`: newId(), moved(id), isBusy(), show(messages). Whatever is somebody else's goes. Returns the conversation with that
    // id, if it is kept.
    async start(whose, id, acts) {
      [user, wants] = [whose, acts];
      try {
        const found = await database.all();
        for (const one of found) if ((one.user ?? null) !== user) await database.remove(one.id);
        database.onChange(follow);
        const record = found.find((one) => one.id === id && (one.user ?? null) === user) ?? null;
        this.opened(id, record);
        return record;
      } catch (error) {
        tell(database.reason(error));
        this.opened(id, null);
        return null;
      }
    },
    opened(id, record) {
      open = { id, revision: record?.revision ?? 0, titled: record?.titled === true, messages: record?.messages ?? null };
    },
    // It is not kept any more, once what is being saved is over.
    removed() {
      open.gone = true;
      waiting = null;
      return saving;
    },
    // The open conversation has changed; an empty one is not kept.
    changed(conversation) {
      if (!wants || open.gone || !conversation.messages.length) return;
      waiting = { ...conversation, of: open };
      const growing = conversation.messages.at(-1).growing;
      timer ??= setTimeout(flush, growing ? GROWING_SAVE_MS : SAVE_MS);
    },
    answered(conversation) {
      const [, answer] = conversation.messages;
      flush();
      if (!open.titled && conversation.messages.length === 2 && answer.text) {
        const mine = title(conversation.messages).finally(() => { titling = titling === mine ? null : titling; });
        titling = mine;
      }
    },
    flush,
    titled: () => titling && Promise.race([titling, new Promise((resolve) => setTimeout(resolve, TITLE_WAIT_MS))]),
    async forget() {
      forgotten = true;
      await saving;
      await database.clear().catch(() => {});
    },
  };
  addEventListener("pagehide", flush);
})();
