// Conversations as files: Markdown to read, JSON to take to another browser and back.
(() => {
  const { text } = window.chatTexts;
  const FORMAT = "qwen-appliance conversations 1";
  const ROLES = new Set(["user", "assistant"]);
  const NUMBERS = ["tokens_in", "tokens_out", "first_s", "seconds"];

  function markdown({ title, messages }) {
    const parts = messages.map(({ role, text: said, files }) => {
      const head = `## ${text(role === "user" ? "page_question" : "page_answer")}`;
      const names = (files ?? []).map(({ name }) => `*${name}*`).join(", ");
      return [head, names, said].filter(Boolean).join("\n\n");
    });
    return `# ${title}\n\n${parts.join("\n\n")}\n`;
  }

  const json = (records) => JSON.stringify({ format: FORMAT, conversations: records.map((one) => ({ ...one, user: undefined })) }, null, 1);

  // The conversations of such a file, each as a new one. Raises where it is none.
  function read(content, newId) {
    const found = JSON.parse(content);
    if (found?.format !== FORMAT || !Array.isArray(found.conversations)) throw new Error("format");
    return found.conversations.map((one) => conversation(one, newId));
  }

  function conversation({ title, pinned, created, changed, messages, settings }, newId) {
    const now = Date.now();
    const time = (value) => (Number.isFinite(value) ? value : now);
    return {
      id: newId(),
      title: String(title ?? "").slice(0, 200),
      titled: true,
      pinned: pinned === true,
      created: time(created),
      changed: time(changed),
      revision: 1,
      messages: messagesOf(messages, newId),
      draft: "",
      files: [],
      settings: Object.fromEntries(Object.entries(window.CHAT.settings)
        .map(([name, normal]) => [name, typeof settings?.[name] === typeof normal ? settings[name] : normal])),
    };
  }

  // Of each message (ui/web/src/conversation.js) what has its form: the page shows it without asking again.
  const messagesOf = (messages, newId) => messages
    .filter((message) => ROLES.has(message?.role) && isText(message.text))
    .map((message) => messageOf(message, newId));

  function messageOf({ id, role, text: said, note, left_out: leftOut, figures, files, ...more }, newId) {
    return {
      id: isText(id) && /^[0-9a-f]{16}$/.test(id) ? id : newId(),
      role,
      text: said,
      ...(isText(note) ? { note } : {}),
      ...(isText(leftOut) ? { left_out: leftOut } : {}),
      ...(NUMBERS.every((name) => Number.isFinite(figures?.[name])) ? { figures: figuresOf(figures) } : {}),
      ...(Array.isArray(files) ? { files: filesOf(files) } : {}),
      ...versionsOf(more, newId),
    };
  }

  const isText = (value) => typeof value === "string";

  const figuresOf = ({ ended, ...figures }) => ({
    ...Object.fromEntries(NUMBERS.map((name) => [name, figures[name]])), ...(isText(ended) ? { ended } : {}),
  });

  const filesOf = (files) => files.filter((file) => isText(file?.name) && isText(file.text))
    .map(({ name, text: said, tokens }) => ({ name, text: said, ...(Number.isFinite(tokens) ? { tokens } : {}) }));

  // All of them or none: where one has no form, nobody knows which is which.
  function versionsOf({ versions, version }, newId) {
    if (!Array.isArray(versions) || versions[version] !== null) return {};
    const kept = versions.map((one) => (Array.isArray(one) ? messagesOf(one, newId) : one));
    return kept.every((one, n) => (n === version ? one === null : one?.length > 0)) ? { versions: kept, version } : {};
  }

  // A title as the name of a file.
  const fileName = (title, ending) => `${title.replace(/[\\/:*?"<>|\p{Cc}]+/gu, " ").trim().slice(0, 60) || "chat"}.${ending}`;

  window.chatTransfer = { markdown, json, read, fileName };
})();
