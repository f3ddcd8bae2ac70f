// Shows the results that Python has rendered, says what was found, and follows their
// links without loading the page anew.  Everything in data.html is escaped by results.py.

// Streamlit calls what is exported for every new data, and what that returns only at the
// very end: listeners are added once, and find the newest data here.
const mounted = new WeakMap();
// Off until asked for, and on from one search to the next.
let reading = false;

export default function ({ data, parentElement, setTriggerValue }) {
  document.documentElement.lang = data.language;
  describeFields(data);

  const found = parentElement.querySelector(".found");
  const announcer = parentElement.querySelector(".announcer");
  const dialog = parentElement.querySelector("dialog");
  const bar = parentElement.querySelector(".bar-of-chosen");
  if (!mounted.has(found)) mounted.set(found, listen(found, announcer, dialog, bar));
  const state = mounted.get(found);
  const before = state.data ?? {};
  Object.assign(state, { data, setTriggerValue });
  state.arrived();
  if (before.view !== data.view) dialog.innerHTML = data.view;
  if (before.bar !== data.bar) bar.innerHTML = data.bar;
  parentElement.querySelector(".keys").textContent = data.keys;
  if (before.html !== data.html) {
    if (dialog.open) dialog.close();
    // Where more of the same has come, what was unfolded stays so.
    const unfolded = found.querySelector("details.weaker")?.open && typeof data.focus === "string";
    found.innerHTML = data.html;
    if (unfolded) found.querySelector("details.weaker")?.setAttribute("open", "");
    standIn(found);
    showReader(found);
    read(found, data.language);
    arrangeStops(found);
    showChoice(found, bar);
  }
  if (before.serial !== data.serial) {
    announcer.textContent = data.said;
    if (typeof data.focus === "string") cardOf(found, data.focus)?.focus();
    else if (data.focus) document.getElementById("sightline-results")?.focus();
  }
  if (data.archived && before.archived !== data.archived) state.awaited = ".st-key-archive button";
  focusAwaited(state);
  return state.stop;
}

// An image's card, or rather what has the focus of it, by the image's id.
function cardOf(found, id) {
  const like = found.querySelector(`[data-action="like"][data-value="${CSS.escape(id)}"]`);
  return like?.closest("li").querySelector(".frame");
}

// What Streamlit draws may come after the results.
function focusAwaited(state) {
  const awaited = state.awaited && document.querySelector(state.awaited);
  if (!awaited) return;
  state.awaited = null;
  awaited.focus();
}

function describeFields(data) {
  const search = document.querySelector(".st-key-search");
  search?.setAttribute("role", "search");
  search?.setAttribute("aria-label", data.search);
  // The recorder's button says no more than "Record".
  const recorder = document.querySelector(".st-key-search .stAudioInput");
  recorder?.setAttribute("role", "group");
  recorder?.setAttribute("aria-label", data.speak);
  document.documentElement.style.setProperty("--refused-upload", JSON.stringify(data.refused));
  // What is typed reads in the direction of its own script.
  for (const field of document.querySelectorAll(".stTextInput input")) field.dir = "auto";
}

function listen(found, announcer, dialog, bar) {
  const state = {};
  // Streamlit fetches a kind of field when it first shows one, which may be after the results.
  const late = new MutationObserver(() => {
    describeFields(state.data);
    focusAwaited(state);
  });
  late.observe(document.body, { childList: true, subtree: true });

  const follow = (event) => {
    const link = event.target.closest("[data-action]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const { action: name, value = "" } = link.dataset;
    if (name === "copy") copy(link, announcer);
    else if (name === "view") view(found, dialog, link);
    else if (name === "read") {
      reading = !reading;
      showReader(found);
      read(found, state.data.language);
    } else state.setTriggerValue("action", { name, value });
  };

  found.addEventListener("click", follow);
  listenToImages(found, state);
  const deafen = listenToNetwork(found.parentElement.querySelector(".offline"), state);
  listenToView(dialog, follow);
  listenToChoice(found, bar, announcer, state, follow);
  const stopKeys = listenToKeys(found, state);
  document.addEventListener("paste", paste);
  state.stop = () => {
    late.disconnect();
    deafen();
    found.removeEventListener("click", follow);
    document.removeEventListener("paste", paste);
    stopKeys();
    mounted.delete(found);
    if (reading) speechSynthesis.cancel();
  };
  return state;
}

async function copy(link, announcer) {
  try {
    await navigator.clipboard.writeText(link.href);
    link.textContent = link.dataset.value;
    announcer.textContent = link.dataset.value;
  } catch {
    // Not allowed here: the address goes where it can be copied by hand.
    location.assign(link.href);
  }
}

// A pasted image goes where a chosen one goes; a pasted text is none of our business.
function paste(event) {
  const image = [...(event.clipboardData?.files ?? [])].find((file) =>
    file.type.startsWith("image/"),
  );
  const field = document.querySelector('[data-testid="stFileUploader"] input[type="file"]');
  if (!image || !field) return;
  event.preventDefault();
  const files = new DataTransfer();
  files.items.add(image);
  field.files = files.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

// The button says whether it is on; where the browser cannot speak, there is none.
function showReader(found) {
  const button = found.querySelector("[data-action=read]");
  if (!button || !("speechSynthesis" in window)) return;
  button.hidden = false;
  button.setAttribute("aria-pressed", String(reading));
}

// Read out what was found: the heading, then what each image shows that is not folded away.
function read(found, language) {
  if (!("speechSynthesis" in window)) return;
  speechSynthesis.cancel();
  if (!reading) return;
  const heading = found.querySelector("h2")?.textContent;
  const images = [...found.querySelectorAll("ul.grid img")].filter(
    (image) => !image.closest("details:not([open])"),
  );
  for (const text of [heading, ...images.map((image) => image.alt)]) {
    if (!text) continue;
    const words = new SpeechSynthesisUtterance(text);
    words.lang = language;
    speechSynthesis.speak(words);
  }
}
