// Conversations as files: Markdown to read, JSON to take to another browser and back.
(() => {
  const { text } = window.chatTexts;
  const FORMAT = "qwen-appliance conversations 1";
  const ROLES = new Set(["user", "assistant"]);
  const KEPT = ["id", "role", "text", "note", "left_out", "figures", "files", "versions", "version"];

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
      messages: messages.filter(isMessage).map((message) => messageOf(message, newId)),
      draft: "",
      files: [],
      ...(settings && typeof settings === "object" ? { settings } : {}),
    };
  }

  const isMessage = (message) => ROLES.has(message?.role) && typeof message.text === "string";

  function messageOf(message, newId) {
    const kept = Object.fromEntries(KEPT.filter((name) => message[name] !== undefined).map((name) => [name, message[name]]));
    return /^[0-9a-f]{16}$/.test(kept.id) ? kept : { ...kept, id: newId() };
  }

  // A title as the name of a file.
  const fileName = (title, ending) => `${title.replace(/[\\/:*?"<>|\p{Cc}]+/gu, " ").trim().slice(0, 60) || "chat"}.${ending}`;

  function download(name, content) {
    const link = document.createElement("a");
    link.download = name;
    link.href = URL.createObjectURL(new Blob([content], { type: "text/plain;charset=utf-8" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  window.chatTransfer = { markdown, json, read, fileName, download };
})();
