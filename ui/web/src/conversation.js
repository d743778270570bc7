// A conversation as the browser holds it, and what asking, retrying and editing make of it. No page here.
//
// A conversation is { id, messages }. A message is
//   id        16 hexadecimal digits; an answer's is the turn by which the server speaks of it
//   role      "user" or "assistant"
//   text      what was said, as Markdown, and nothing else
//   note      answers: what the appliance says under it (why there is no more of it); absent where there is nothing to say
//   left_out  answers: what it says above it (how much of the conversation the model has not seen)
//   figures   answers: { tokens_in, tokens_out, first_s, seconds, ended }, see chat.py; `ended` is "stopped" too
//   growing   answers: true while it is being written
//   versions  reserved for what a message was before it was asked for anew: a list of messages
// After each question there is its answer, though it may have nothing but a note.

export function newId() {
  // not randomUUID(): a page over plain http has none
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const begin = () => ({ id: newId(), messages: [] });

export const asked = ({ messages }, text) => [...messages, { id: newId(), role: "user", text }];

// The conversation up to the question that this answer answers; null where there is none.
export function retried({ messages }, id) {
  const at = messages.findIndex((message) => message.id === id);
  const question = messages.findLastIndex((message, index) => index <= at && message.role === "user");
  return question < 0 ? null : messages.slice(0, question + 1);
}

// The conversation up to this question, in other words.
export function edited({ messages }, id, text) {
  const at = messages.findIndex((message) => message.id === id);
  return at < 0 ? null : [...messages.slice(0, at), { ...messages[at], id: newId(), text }];
}

// An answer of which no more comes, with a note on why: one for a part of it, one for nothing.
export function ended(answer, part, nothing, how) {
  const over = { ...answer, note: answer.text ? part : nothing };
  delete over.growing;
  if (over.figures) over.figures = { ...over.figures, ended: how };
  return over;
}

// The same after the page was away: nothing grows any more, and each question has its answer.
export function settled(messages, part, nothing) {
  const last = messages.at(-1);
  if (last?.growing) return [...messages.slice(0, -1), ended(last, part, nothing, "cut")];
  return last?.role === "user" ? [...messages, { id: newId(), role: "assistant", text: "", note: nothing }] : messages;
}

// What goes to the server with a question.
export const forServer = (messages) => messages.map(({ role, text }) => ({ role, text }));
