// What the page takes from here: the conversation's view, and the conversation as data.

export { createView } from "./view.js";
export * from "./conversation.js";
