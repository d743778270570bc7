// Makes one element like another and touches only what differs: what somebody has selected, and how far a table or a block of
// code is scrolled, stays as it is.

export function morph(old, made) {
  if (old.nodeType !== made.nodeType || old.nodeName !== made.nodeName) {
    old.replaceWith(made);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (made.data.startsWith(old.data)) old.appendData(made.data.slice(old.data.length));
    else old.data = made.data;
    return;
  }
  morphAttributes(old, made);
  morphChildren(old, made);
}

function morphAttributes(old, made) {
  for (const { name } of [...old.attributes]) if (!made.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of made.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

function morphChildren(old, made) {
  const [has, wants] = [[...old.childNodes], [...made.childNodes]];
  wants.forEach((want, at) => (has[at] ? morph(has[at], want) : old.append(want)));
  has.slice(wants.length).forEach((node) => node.remove());
}
