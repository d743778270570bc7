// What the page takes from here: the conversation's view, the conversation as data, and how a text becomes a file.

export { download } from "./clipboard.js";
export { createView } from "./view.js";
export * from "./conversation.js";
