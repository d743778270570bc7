// What keys do beside what Gradio makes of them: on a phone Enter is a new line, Escape closes the settings, a page key turns the
// conversation's pages; what is closed is out of reach, and an emptied number is its default again.
(() => {
  const { emptiedNumber, isOpen, panel, toggleSidebar, typed } = window.gradioInternals;
  const phone = matchMedia("(pointer: coarse)");

  // Before Gradio, which takes Enter for Send.
  document.addEventListener("keypress", (event) => {
    if (event.key === "Enter" && phone.matches && event.target.closest?.("#ask textarea")) event.stopPropagation();
  }, true);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isOpen("settings")) {
      toggleSidebar("settings");
      document.getElementById("settings-button")?.focus();
    }
    const direction = { PageUp: -1, PageDown: 1 }[event.key];
    if (!direction || typed("ask").includes("\n") || !event.target.closest?.("#ask")) return;
    event.preventDefault();
    window.chatPage.turnPage(direction);
  });

  // Before Gradio, which makes the least of it.
  document.addEventListener("blur", (event) => {
    const at = emptiedNumber(event.target);
    if (at >= 0) window.chatPage.emptied(at);
  }, true);

  window.chatKeys = {
    isPhone: () => phone.matches,
    start() {
      const settings = panel("settings");
      const show = () => { settings.inert = !isOpen("settings"); };
      new MutationObserver(show).observe(settings, { attributes: true, attributeFilter: ["class"] });
      show();
    },
  };
})();
