// Copies, also where the page comes over plain http from another machine: browsers have no navigator.clipboard there.

export async function copy(text) {
  if (window.isSecureContext && navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { /* not allowed: the other way may be */ }
  }
  const place = document.createElement("textarea");
  place.value = text;
  place.readOnly = true;
  place.style.cssText = "position:fixed;top:0;left:-9999px";
  const focused = document.activeElement;
  document.body.append(place);
  place.select();
  const copied = document.execCommand("copy");
  place.remove();
  focused?.focus?.({ preventScroll: true });
  return copied;
}

export function download(name, text) {
  const link = document.createElement("a");
  link.download = name;
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
