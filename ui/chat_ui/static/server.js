// What the page's scripts ask of their replica in JSON, beside Gradio's questions (page_routes.py).
(() => {
  // Raises where nothing comes in time, or something else than an answer, with its `status`.
  async function post(path, body, { timeout, signal, ...options }) {
    const late = AbortSignal.timeout(timeout);
    const response = await window.chatAccount.quietly(new URL(path, document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, late]) : late,
      ...options,
    });
    if (!response.ok) throw Object.assign(new Error(`HTTP ${response.status}`), { status: response.status });
    return response.json();
  }

  window.chatServer = { post };
})();
