// Choosing images: which are chosen, and what can be done with all of them at once.
// Part of results.js, which lies before it.

// By id, with what is known of each: they stay chosen where another search no longer shows them.
const chosen = new Map();
// From where to where a range is chosen, and what was chosen before it.
let anchor = null;
let reach = null;
let beside = new Map();
const OWN_COLUMNS = ["image_path", "caption", "alt_text", "similarity"];
// With these a cell begins that a spreadsheet takes for a formula.
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;

// The cards that can be seen, in the order in which they are.
function cardsOf(found) {
  return [...found.querySelectorAll(".grid > li")].filter(
    (card) => !card.closest("details.weaker:not([open])"),
  );
}

const idOf = (card) => card.querySelector(".choose").value;

function listenToChoice(found, bar, announcer, state, follow) {
  const shown = () => {
    showChoice(found, bar);
    announcer.textContent = bar.dataset.said;
  };
  const add = (card) => {
    const id = idOf(card);
    // What was chosen elsewhere keeps what was known of it there.
    if (!chosen.has(id)) chosen.set(id, state.data.facts[id]);
  };
  const begin = (card) => {
    anchor = reach = idOf(card);
    beside = new Map(chosen);
  };
  state.toggle = (card) => {
    if (chosen.has(idOf(card))) chosen.delete(idOf(card));
    else add(card);
    begin(card);
    shown();
  };
  // All from where the last one was chosen to here, and what was chosen before that; by keyboard
  // from where one is, unless that is the end of such a range.
  state.extend = (card, from = null) => {
    if (from && idOf(from) !== reach) {
      add(from);
      begin(from);
    }
    const cards = cardsOf(found);
    const start = cards.findIndex((each) => idOf(each) === anchor);
    if (start < 0) {
      state.toggle(card);
      return;
    }
    const end = cards.indexOf(card);
    reach = idOf(card);
    chosen.clear();
    for (const [id, facts] of beside) chosen.set(id, facts);
    cards.slice(Math.min(start, end), Math.max(start, end) + 1).forEach(add);
    shown();
  };
  state.chooseAll = () => {
    cardsOf(found).forEach(add);
    beside = new Map(chosen);
    shown();
  };
  state.clear = () => {
    if (chosen.size === 0) return;
    chosen.clear();
    anchor = reach = null;
    beside = new Map();
    shown();
  };

  found.addEventListener("click", (event) => {
    const card = event.target.closest(".grid > li");
    const box = event.target.closest(".choose");
    if (!card || !(box || (event.shiftKey && event.target.closest(".frame")))) return;
    // A link with Shift would open a window.
    if (!box) event.preventDefault();
    if (event.shiftKey) state.extend(card);
    else state.toggle(card);
  });
  bar.addEventListener("click", (event) => {
    const part = event.target.closest("[data-part]")?.dataset.part;
    const images = [...chosen.values()];
    if (part === "clear") {
      const stop = found.querySelector(".grid .frame[tabindex='0']");
      state.clear();
      // The button that had the focus is gone.
      (stop ?? document.getElementById("sightline-results"))?.focus({ preventScroll: true });
    } else if (part === "csv") save(csvOf(chosen), "pictures.csv");
    else if (part === "paths") {
      copyText(event.target, announcer, images.map((one) => one.image_path).join("\n"));
    } else if (part === "link") {
      copyText(event.target, announcer, new URL(addressOf("ids", chosen.keys()), location).href);
    } else follow(event);
  });
}

function addressOf(name, ids) {
  return `?${name}=${[...ids].join(",")}`;
}

// Marks what is chosen, and says in the bar how many that are and what can be done with them.
function showChoice(found, bar) {
  const here = new Set();
  for (const box of found.querySelectorAll(".choose")) {
    box.checked = chosen.has(box.value);
    box.closest("li").classList.toggle("chosen", box.checked);
    if (box.checked) here.add(box.value);
  }
  const number = chosen.size;
  const part = (name) => bar.querySelector(`[data-part="${name}"]`);
  bar.hidden = number === 0;
  const count = part("count");
  const fill = (one, several, n) => (n === 1 ? one : several.replace("{n}", n));
  const { one, several, none, hiddenOne, hiddenSeveral } = count.dataset;
  count.textContent = number ? fill(one, several, number) : none;
  if (number > here.size) {
    count.textContent += `, ${fill(hiddenOne, hiddenSeveral, number - here.size)}`;
  }
  bar.dataset.said = count.textContent;

  const like = part("like");
  const first = [...chosen.keys()].slice(0, Number(like.dataset.most));
  like.textContent = first.length < number ? like.dataset.first : like.dataset.label;
  like.href = addressOf("like", first);
  like.dataset.value = first.join(",");
  const zip = part("zip");
  const fits = number <= Number(zip.dataset.most);
  zip.textContent = fits ? zip.dataset.label : zip.dataset.tooMany;
  zip.dataset.value = [...chosen.keys()].join(",");
  zip.disabled = !fits;
  zip.removeAttribute("href");
  if (zip.dataset.base && fits) zip.href = `${zip.dataset.base}?ids=${zip.dataset.value}`;
  part("link").hidden = !fits;
  for (const name of ["paths", "link"]) part(name).textContent = part(name).dataset.label;
}

async function copyText(button, announcer, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // There is none where the page is not served over HTTPS.
    const field = document.createElement("textarea");
    field.value = text;
    button.after(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  button.textContent = button.dataset.done;
  announcer.textContent = button.dataset.done;
}

// RFC 4180, with the mark by which spreadsheets know UTF-8.
function csvOf(images) {
  const all = [...images.values()];
  const names = [...new Set(all.flatMap((one) => Object.keys(one.metadata)))];
  const taken = new Set(["id", ...OWN_COLUMNS]);
  const named = names.map((name) => (taken.has(name) ? `metadata.${name}` : name));
  const rows = [["id", ...OWN_COLUMNS, ...named]];
  for (const [id, one] of images) {
    const known = names.map((name) => one.metadata[name]);
    rows.push([id, ...OWN_COLUMNS.map((name) => one[name]), ...known]);
  }
  return `\uFEFF${rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("")}`;
}

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const plain = (one) => (typeof one === "object" ? JSON.stringify(one) : String(one));
  let text = Array.isArray(value) ? value.map(plain).join("; ") : plain(value);
  if (FORMULA.test(text)) text = `'${text}`;
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  // Not before it has been read.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
