// When to show what has come: at the next frame, and no sooner than the page has had twice as long for everything else as the
// last time took. So a page that cannot follow shows larger pieces more seldom, and stays ready for whoever uses it.

const MOST_MS = 1000;

export function paced(show) {
  let [waiting, free] = [false, 0];

  function run() {
    const began = performance.now();
    waiting = false;
    show();
    // after the frame: with what the browser had to lay out and paint
    setTimeout(() => {
      const took = performance.now() - began;
      free = performance.now() + Math.min(MOST_MS, 2 * took);
    });
  }

  return () => {
    if (waiting) return;
    waiting = true;
    const pause = free - performance.now();
    if (pause > 16) setTimeout(() => requestAnimationFrame(run), pause - 16);
    else requestAnimationFrame(run);
  };
}
