// The page's texts in this browser's language, from window.CHAT.texts (languages/*.json). Chosen as the server and Gradio
// choose: the browser's own tag, else one with the same beginning, else English.
(() => {
  const { texts } = window.CHAT;
  const beginning = (tag) => tag.toLowerCase().split("-")[0];
  const asked = navigator.language;
  const language = Object.keys(texts).find((tag) => tag.toLowerCase() === asked.toLowerCase())
    ?? Object.keys(texts).find((tag) => beginning(tag) === beginning(asked))
    ?? "en";

  window.chatTexts = {
    language,
    // A text with its {places} filled in
    text: (key, values = {}) => texts[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]),
  };
})();
