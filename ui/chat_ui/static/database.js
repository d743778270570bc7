// The conversations that this browser keeps, in IndexedDB; a tab's own copy of its conversation is browser_storage.js's. One
// record a conversation: { id, user, title, titled, pinned, created, changed, revision, messages, draft, files, settings }.
//
// Two tabs do not overwrite each other: who saves messages says which revision his are made of, and where another tab has saved
// others since, his become a conversation of its own. A failure is told to whoever saves; nothing is removed to make room.
(() => {
  const NAME = "qwen-appliance.conversations";
  const CHANNEL = "qwen-appliance.conversations";
  const STORE = "conversations";
  const LITTLE = 0.9;
  const channel = new BroadcastChannel(CHANNEL);
  let opened = null;

  // A failure of this is none of room: there is no database, in private mode perhaps.
  class Off extends Error {}

  function open() {
    opened ??= new Promise((resolve, reject) => {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
      request.onsuccess = () => {
        request.result.onclose = () => { opened = null; };
        resolve(request.result);
      };
      request.onerror = () => reject(request.error);
    }).catch((error) => {
      opened = null;
      throw new Off("storage", { cause: error });
    });
    return opened;
  }

  // Runs `work` in a transaction; what it returns comes once all of it is on the disk.
  async function within(mode, work) {
    const transaction = (await open()).transaction(STORE, mode);
    const store = transaction.objectStore(STORE);
    let result;
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("storage"));
    });
    work(store, (value) => { result = value; });
    return done;
  }

  const one = (id) => within("readonly", (store, give) => {
    const request = store.get(id);
    request.onsuccess = () => give(request.result ?? null);
  });
  const all = () => within("readonly", (store, give) => {
    const request = store.getAll();
    request.onsuccess = () => give(request.result);
  });

  // Puts `changes` into a conversation that has revision `base` here; returns what is kept now, under a new id where another
  // tab was quicker. Null where there are no messages, neither here nor among the changes.
  async function save(id, base, changes, newId) {
    const kept = await within("readwrite", (store, give) => {
      const request = store.get(id);
      request.onsuccess = () => {
        const found = request.result;
        if (!found && !changes.messages) return;
        const overtaken = found && found.revision !== base && changes.messages;
        const title = found?.titled && !changes.titled ? { title: found.title } : {};
        const record = {
          created: Date.now(), title: "", pinned: false, ...found, ...changes, ...title, id,
          changed: changes.messages ? Date.now() : found?.changed ?? Date.now(),
          revision: (found?.revision ?? 0) + (changes.messages ? 1 : 0),
        };
        if (overtaken) Object.assign(record, { id: newId(), revision: 1, created: Date.now(), pinned: false });
        store.put(record);
        give(record);
      };
    });
    if (kept) channel.postMessage({ id: kept.id });
    return kept ?? null;
  }

  async function put(records) {
    await within("readwrite", (store) => records.forEach((record) => store.put(record)));
    channel.postMessage({});
  }

  async function remove(id) {
    await within("readwrite", (store) => store.delete(id));
    channel.postMessage({ id });
  }

  async function clear() {
    await within("readwrite", (store) => store.clear());
    channel.postMessage({});
  }

  // Whether the browser has little room left for what this page keeps.
  async function isNearlyFull() {
    const { usage = 0, quota = 0 } = await navigator.storage?.estimate?.() ?? {};
    return quota > 0 && usage > LITTLE * quota;
  }

  window.chatDatabase = {
    one, all, save, put, remove, clear, isNearlyFull,
    // The text that says why something was not kept.
    reason: (error) => (error instanceof Off ? "page_storage_off" : "page_storage_full"),
    onChange: (act) => channel.addEventListener("message", ({ data }) => act(data.id)),
  };
})();
