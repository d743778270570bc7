// Ready-made settings: those of the page, and those that a person has saved in this browser under a name of his own.
(() => {
  const { text } = window.chatTexts;
  const { option } = window.chatParts;
  const KEY = "qwen-appliance.presets";
  const NAMES = ["assistant", "translator", "coder", "summariser", "strict", "article"];
  // what differs from the defaults
  const NUMBERS = {
    assistant: {},
    translator: { temperature: 0.3 },
    coder: { temperature: 0.2, repetition_penalty: 1.05 },
    summariser: { temperature: 0.3 },
    strict: { temperature: 0.1, top_p: 0.5 },
    article: { max_new_tokens: 512 },
  };
  let wants = null;
  let user = null;

  function own() {
    try {
      const found = JSON.parse(localStorage.getItem(KEY));
      return found && (found.user ?? null) === user && typeof found.presets === "object" ? found.presets ?? {} : {};
    } catch {
      return {};
    }
  }

  function keep(presets) {
    try {
      localStorage.setItem(KEY, JSON.stringify({ user, presets }));
    } catch { /* storage is off or full: it stays what it was */ }
    show();
  }

  function settingsOf(name) {
    const prompt = name === "article" ? window.CHAT.settings.system_prompt : text(`page_preset_${name}_prompt`);
    return { ...window.CHAT.settings, system_prompt: prompt, ...NUMBERS[name] };
  }

  function show(selected = "") {
    const list = document.getElementById("presets");
    list.replaceChildren(option("", text("page_presets_choose")),
      ...NAMES.map((name) => option(`page ${name}`, text(`page_preset_${name}`))),
      ...Object.keys(own()).map((name) => option(`own ${name}`, name)));
    list.value = selected;
    document.getElementById("preset-delete").disabled = !selected.startsWith("own ");
  }

  function start(whose, acts) {
    [user, wants] = [whose, acts];
    const [list, name, save, remove] = ["presets", "preset-name", "preset-save", "preset-delete"]
      .map((id) => document.getElementById(id));
    list.ariaLabel = text("page_presets");
    name.placeholder = name.ariaLabel = text("page_preset_name");
    save.textContent = text("page_preset_save");
    remove.textContent = text("page_preset_delete");
    list.addEventListener("change", () => {
      const [kind, ...rest] = list.value.split(" ");
      remove.disabled = kind !== "own";
      if (kind) wants.choose(kind === "own" ? { ...window.CHAT.settings, ...own()[rest.join(" ")] } : settingsOf(rest[0]));
    });
    save.addEventListener("click", () => {
      const said = name.value.trim();
      if (!said) {
        name.focus();
        return;
      }
      keep({ ...own(), [said]: wants.current() });
      name.value = "";
      show(`own ${said}`);
    });
    remove.addEventListener("click", () => {
      const gone = list.value.slice("own ".length);
      keep(Object.fromEntries(Object.entries(own()).filter(([known]) => known !== gone)));
      list.focus();
    });
    show();
  }

  window.chatPresets = {
    start,
    forget() {
      try {
        localStorage.removeItem(KEY);
      } catch { /* nothing was kept */ }
    },
  };
})();
