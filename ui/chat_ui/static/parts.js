// The small pieces of which the page's scripts build what they show.
(() => {
  function element(tag, className, said) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (said) made.textContent = said;
    return made;
  }

  function button(said, act) {
    const made = element("button", "", said);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  const option = (value, label) => Object.assign(element("option", "", label), { value });

  window.chatParts = { button, element, option };
})();
