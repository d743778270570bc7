// What an answer may do in the page: be read. Gradio makes HTML of its markdown and takes scripts out; here goes whatever could
// lay out, cover or imitate the page: forms, styles, ids, classes that are not code's or formulas'. Runs before the browser
// paints what was added, since a mutation observer does.
(() => {
  const { answers } = window.gradioInternals;
  const TEXT = new Set(("a abbr b blockquote br caption code col colgroup dd del details dfn div dl dt em figcaption figure h1 h2 "
    + "h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp small span strong sub summary sup table tbody td tfoot th "
    + "thead time tr tt u ul var wbr").split(" "));
  const ATTRIBUTES = new Set("href target rel src alt title colspan rowspan align start open lang dir cite datetime data-host".split(" "));
  const LAYS_OUT = /^(position|z-index|inset.*|left|right|float|transform|animation.*|background.*|content|opacity)$/;
  const KEPT_CLASS = /^(token|language-[\w+#-]+|chat-note)$/;

  function clean(element) {
    if (answers.isCopyButton(element)) return;
    if (answers.isFormula(element)) {
      element.removeAttribute("id");
      for (const property of [...(element.style ?? [])]) {
        if (LAYS_OUT.test(property)) element.style.removeProperty(property);
      }
      return;
    }
    if (element.localName === "input" && element.type === "checkbox") {   // a list of tasks
      element.replaceWith(element.checked ? "☑ " : "☐ ");
    } else if (element.namespaceURI !== "http://www.w3.org/1999/xhtml" || !TEXT.has(element.localName)) {
      element.replaceWith(...element.childNodes);
    } else {
      for (const { name } of [...element.attributes]) if (!isKept(element, name)) element.removeAttribute(name);
      if (element.localName === "a") showHost(element);
    }
  }

  function isKept(element, name) {
    if (name !== "class") return ATTRIBUTES.has(name);
    const inCode = element.closest("pre, code") !== null;
    const kept = [...element.classList].filter((one) => KEPT_CLASS.test(one) || answers.isFrame(one)
      || (inCode && element.classList.contains("token") && one !== "chat-note"));
    element.className = kept.join(" ");
    return kept.length > 0;
  }

  // A link says where it leads, whatever its text says.
  function showHost(link) {
    link.removeAttribute("data-host");
    const address = URL.parse?.(link.href) ?? (URL.canParse(link.href) ? new URL(link.href) : null);
    if (!/^https?:$/.test(address?.protocol ?? "") || address.host === location.host) return;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    link.dataset.host = address.host;
  }

  function cleanAll(added) {
    if (!added.isConnected || added.nodeType !== Node.ELEMENT_NODE) return;
    // from within: what is taken out leaves what it held, already clean
    answers.elementsOf(added).reverse().forEach(clean);
  }

  new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach(cleanAll)))
    .observe(document.documentElement, { childList: true, subtree: true });
})();
