// Who is signed in. nginx knows (a session, or single sign-on), GET /whoami says it; where nobody has to sign in, nothing
// is shown. Also: what happens when the session has ended.
(() => {
  const { text } = window.chatTexts;
  const RETRY_MS = 1000;
  const FORGET_MS = 3000;
  const TIMEOUT_MS = 8000;
  const send = window.fetch;

  // Gradio would take a 401 for a lost connection and ask on and on. The page is being left, so the caller is not
  // answered any more. What was written is kept (conversation.js) and is there again for the same person.
  window.fetch = async (...request) => {
    const response = await send(...request);
    if (response.status !== 401) return response;
    location.assign(new URL("login", document.baseURI));
    return new Promise(() => {});
  };

  // Asks until there is an answer: without it nobody knows whose conversation may be shown.
  async function whoami() {
    for (;;) {
      try {
        const response = await fetch(new URL("whoami", document.baseURI), {
          cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        if (response.ok) return (await response.json()).user;
        if (response.status < 500) return null;
      } catch { /* the server is away: the banner says so */ }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  window.chatAccount = {
    // As fetch, for what nobody has asked for: that the session has ended is said when somebody does something.
    quietly: send,
    user: whoami(),
    // The controls are there. `forget` removes what this browser keeps; then the form posts /logout.
    show(user, forget) {
      const form = document.getElementById("account");
      if (user === null || !form) return;
      const [name, button] = form.children;
      name.textContent = user;
      form.title = text("page_signed_in", { name: user });
      button.textContent = text("page_sign_out");
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        await Promise.race([forget(), new Promise((resolve) => setTimeout(resolve, FORGET_MS))]);
        form.submit();
      });
      form.hidden = false;
    },
  };

  // Back, after signing out: the browser may have kept the whole page as it was
  addEventListener("pageshow", (event) => event.persisted && location.reload());
})();
