// Shows the results that Python has rendered, says what was found, and follows their
// links without loading the page anew.  Everything in data.html is escaped by results.py.

const shown = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  document.documentElement.lang = data.language;
  const search = document.querySelector(".st-key-search");
  search?.setAttribute("role", "search");
  search?.setAttribute("aria-label", data.search);

  const found = parentElement.querySelector(".found");
  const announcer = parentElement.querySelector(".announcer");
  const before = shown.get(found) ?? {};
  if (before.html !== data.html) found.innerHTML = data.html;
  if (before.serial !== data.serial) {
    announcer.textContent = data.said;
    if (data.focus) document.getElementById("sightline-results")?.focus();
  }
  shown.set(found, { html: data.html, serial: data.serial });

  const follow = (event) => {
    const link = event.target.closest("[data-action]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.dataset.action === "copy") return copy(link);
    setTriggerValue("action", { name: link.dataset.action, value: link.dataset.value ?? "" });
  };

  const copy = async (link) => {
    try {
      await navigator.clipboard.writeText(link.href);
      link.textContent = link.dataset.value;
      announcer.textContent = link.dataset.value;
    } catch {
      // Not allowed here: the address goes where it can be copied by hand.
      location.assign(link.href);
    }
  };

  // A pasted picture goes where a chosen one goes; a pasted text is none of our business.
  const paste = (event) => {
    const picture = [...(event.clipboardData?.files ?? [])].find((file) =>
      file.type.startsWith("image/"),
    );
    const field = document.querySelector('[data-testid="stFileUploader"] input[type="file"]');
    if (!picture || !field) return;
    event.preventDefault();
    const files = new DataTransfer();
    files.items.add(picture);
    field.files = files.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };

  found.addEventListener("click", follow);
  document.addEventListener("paste", paste);
  return () => {
    found.removeEventListener("click", follow);
    document.removeEventListener("paste", paste);
  };
}
