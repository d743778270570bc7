// The page's theme and language, where a person has chosen others than the browser's. The server words its notes in the language
// that a request names; what Gradio has labelled in the browser's language, conversation.js labels anew.
(() => {
  const KEY = "qwen-appliance.appearance";
  const THEMES = ["", "light", "dark"];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const send = window.fetch;

  function read() {
    try {
      return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      return {};
    }
  }
  const chosen = read();
  const language = Object.hasOwn(window.CHAT.texts, chosen.language ?? "") ? chosen.language : "";

  function keep(changed) {
    Object.assign(chosen, changed);
    try {
      localStorage.setItem(KEY, JSON.stringify(chosen));
    } catch { /* storage is off: it holds until the page is closed */ }
  }

  function paint() {
    const isDark = chosen.theme === "dark" || (chosen.theme !== "light" && dark.matches);
    document.body?.classList.toggle("dark", isDark);
  }

  if (language) {
    Object.defineProperty(navigator, "language", { get: () => language });
    Object.defineProperty(navigator, "languages", { get: () => [language] });
    window.fetch = (address, options = {}) => {
      const headers = new Headers(options.headers);
      headers.set("Accept-Language", language);
      return send(address, { ...options, headers });
    };
  }

  window.chatAppearance = {
    // The controls are there.
    start(text) {
      const [theme, languages] = ["theme-choice", "language-choice"].map((id) => document.getElementById(id));
      const { option } = window.chatParts;
      theme.ariaLabel = text("page_theme");
      languages.ariaLabel = text("page_language");
      theme.replaceChildren(...THEMES.map((name) => option(name, text(`page_theme_${name || "system"}`))));
      languages.replaceChildren(option("", text("page_language_system")),
        ...Object.entries(window.CHAT.texts).map(([tag, texts]) => option(tag, texts.page_language_name)));
      [theme.value, languages.value] = [THEMES.includes(chosen.theme) ? chosen.theme : "", language];
      theme.addEventListener("change", () => {
        keep({ theme: theme.value });
        paint();
      });
      languages.addEventListener("change", () => {
        keep({ language: languages.value });
        location.reload();
      });
      dark.addEventListener("change", paint);
      if (chosen.theme) paint();
    },
  };
})();
