// Shows the results that Python has rendered, says what was found, and follows their
// links without loading the page anew.  Everything in data.html is escaped by results.py.

const shown = new WeakMap();
// Off until asked for, and on from one search to the next.
let reading = false;

export default function ({ data, parentElement, setTriggerValue }) {
  document.documentElement.lang = data.language;
  const search = document.querySelector(".st-key-search");
  search?.setAttribute("role", "search");
  search?.setAttribute("aria-label", data.search);
  // The recorder's button says no more than "Record".
  const recorder = document.querySelector(".st-key-search .stAudioInput");
  recorder?.setAttribute("role", "group");
  recorder?.setAttribute("aria-label", data.speak);
  // What is typed reads in the direction of its own script.
  for (const field of document.querySelectorAll(".stTextInput input")) field.dir = "auto";

  const found = parentElement.querySelector(".found");
  const announcer = parentElement.querySelector(".announcer");
  const before = shown.get(found) ?? {};
  if (before.html !== data.html) {
    found.innerHTML = data.html;
    showReader(found);
    read(found, data.language);
  }
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
    if (link.dataset.action === "read") {
      reading = !reading;
      showReader(found);
      return read(found, data.language);
    }
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

// The button says whether it is on; where the browser cannot speak, there is none.
function showReader(found) {
  const button = found.querySelector("[data-action=read]");
  if (!button || !("speechSynthesis" in window)) return;
  button.hidden = false;
  button.setAttribute("aria-pressed", String(reading));
}

// Read out what was found: the heading, then what each picture shows that is not folded away.
function read(found, language) {
  if (!("speechSynthesis" in window)) return;
  speechSynthesis.cancel();
  if (!reading) return;
  const heading = found.querySelector("h2")?.textContent;
  const pictures = found.querySelectorAll("ul.grid img");
  const told = [...pictures].filter((picture) => !picture.closest("details:not([open])"));
  for (const text of [heading, ...told.map((picture) => picture.alt)]) {
    if (!text) continue;
    const words = new SpeechSynthesisUtterance(text);
    words.lang = language;
    speechSynthesis.speak(words);
  }
}
