// The page's texts in this browser's language, from window.CHAT.texts (languages/*.json). Chosen as the server and Gradio
// choose: the browser's own tag, else one with the same beginning, else English.
(() => {
  const { texts } = window.CHAT;
  const beginning = (tag) => tag.toLowerCase().split("-")[0];
  const asked = navigator.language;
  const language = Object.keys(texts).find((tag) => tag.toLowerCase() === asked.toLowerCase())
    ?? Object.keys(texts).find((tag) => beginning(tag) === beginning(asked))
    ?? "en";

  // A text with its {places} filled in
  const text = (key, values = {}) => texts[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // Seconds in a person's words
  function duration(seconds) {
    if (seconds < 90) return text("page_seconds", { n: Math.max(1, Math.round(seconds)) });
    const minutes = Math.round(seconds / 60);
    if (minutes < 90) return text("page_minutes", { n: minutes });
    return text("page_hours", { h: Math.floor(minutes / 60), m: minutes % 60 });
  }

  window.chatTexts = { language, text, duration };
})();
