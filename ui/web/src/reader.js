// Where the reader is: at the end, and then what is written is followed; or somewhere else, and then nothing moves until he
// comes back to the end, by himself or by the arrow.

const NEAR = 24;
const UP = new Set(["PageUp", "ArrowUp", "Home"]);

export function reader(scroll, arrow) {
  let [following, last, pressed] = [true, 0, false];
  const distance = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight;

  function showArrow() {
    arrow.hidden = following || distance() <= NEAR;
  }
  function leave() {
    if (scroll.scrollHeight > scroll.clientHeight) following = false;
    showArrow();
  }
  function toEnd() {
    following = true;
    scroll.scrollTop = scroll.scrollHeight;
    last = scroll.scrollTop;
    showArrow();
  }

  scroll.addEventListener("wheel", (event) => event.deltaY < 0 && leave(), { passive: true });
  scroll.addEventListener("keydown", (event) => UP.has(event.key) && leave());
  scroll.addEventListener("scroll", () => {
    // Upwards by the scroll bar, or by a search in the page, which jumps. Otherwise it was the browser itself, where the
    // message box became smaller for a moment.
    if (scroll.scrollTop < last - (pressed ? 1 : scroll.clientHeight)) following = false;
    else if (scroll.scrollTop > last && distance() <= NEAR) following = true;
    last = scroll.scrollTop;
    showArrow();
  }, { passive: true });
  scroll.addEventListener("pointerdown", () => { pressed = true; });
  for (const over of ["pointerup", "pointercancel"]) addEventListener(over, () => { pressed = false; });
  // a finger decides, from its first movement on
  scroll.addEventListener("touchmove", leave, { passive: true });
  scroll.addEventListener("touchend", () => {
    if (distance() <= NEAR) following = true;
  }, { passive: true });
  arrow.addEventListener("click", toEnd);
  new ResizeObserver(() => (following ? toEnd() : showArrow())).observe(scroll);

  return {
    toEnd,
    // After something was written.
    follow: () => (following ? toEnd() : showArrow()),
    // While something changes that is not what is being written: what the reader sees stays.
    keep(element, change) {
      const above = !following && element.getBoundingClientRect().bottom <= scroll.getBoundingClientRect().top;
      const before = above ? scroll.scrollHeight : 0;
      change();
      if (above) scroll.scrollTop += scroll.scrollHeight - before;
      else if (following) toEnd();
    },
    page: (direction) => {
      if (direction < 0) leave();
      scroll.scrollBy({ top: direction * scroll.clientHeight * 0.9 });
    },
  };
}
