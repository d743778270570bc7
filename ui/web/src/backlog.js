// Work on many messages, a little at a time and the newest first, so that the page can be used meanwhile.

const AT_A_TIME_MS = 12;

export function backlog(act) {
  let waiting = [];
  let timer = null;

  function some(time) {
    const began = performance.now();
    while (waiting.length && performance.now() - began < time) {
      const [view, what] = waiting.pop();
      if (view.element.isConnected) act(view, what);
    }
    timer = waiting.length ? setTimeout(some, 0, AT_A_TIME_MS) : null;
  }

  // what is printed is there
  addEventListener("beforeprint", () => some(Infinity));

  return {
    add(views, what) {
      waiting = [...views.map((view) => [view, what]), ...waiting];
      if (waiting.length) timer ??= setTimeout(some, 0, AT_A_TIME_MS);
    },
  };
}
