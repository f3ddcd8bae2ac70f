// The images by keyboard: one card is one stop of Tab, arrows lead from card to card, and F2 to
// what else a card offers.  For a screen reader they stay a list with links in it.
// Part of results.js, which lies before it.

const CONTROLS = "a, button, summary, input";
const TYPED_IN = "input:not([type=checkbox], [type=radio], [type=file]), textarea, select";

function listenToKeys(found, state) {
  const search = (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.(`${TYPED_IN}, [contenteditable], dialog`)) return;
    const field = document.querySelector(".st-key-text input");
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.select();
  };
  document.addEventListener("keydown", search);
  found.addEventListener("keydown", (event) => pressed(event, found, state));
  // Firefox presses a button when the key is let go.
  found.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.closest(".frame")) event.preventDefault();
  });
  found.addEventListener("focusin", (event) => {
    const card = event.target.closest(".grid > li");
    if (card && event.target.matches(".frame, .choose")) makeStop(card);
  });
  found.addEventListener("focusout", (event) => {
    const card = event.target.closest(".grid > li");
    if (card && !card.contains(event.relatedTarget)) offer(card, -1);
  });
  return () => document.removeEventListener("keydown", search);
}

// One card of each grid can be reached by Tab.
function arrangeStops(found) {
  for (const grid of found.querySelectorAll(".grid")) {
    for (const card of grid.children) {
      offer(card, -1);
      const frame = card.querySelector(".frame");
      frame.tabIndex = -1;
      frame.setAttribute("aria-keyshortcuts", "Space F2");
    }
    if (grid.firstElementChild) makeStop(grid.firstElementChild);
  }
}

function makeStop(card) {
  const before = card.parentElement.querySelector(".frame[tabindex='0']");
  if (before) before.tabIndex = -1;
  card.querySelector(".frame").tabIndex = 0;
}

// What a card offers beside the image itself can be reached by Tab, or not.
function offer(card, tabIndex) {
  for (const control of card.querySelectorAll(CONTROLS)) {
    if (!control.matches(".frame")) control.tabIndex = tabIndex;
  }
}

function pressed(event, found, state) {
  const card = event.target.closest(".grid > li");
  if (!card) return;
  const frame = card.querySelector(".frame");
  const within = !event.target.matches(".frame, .choose");
  if (event.key === "F2" && !within) {
    offer(card, 0);
    card.querySelector(".actions").querySelector(CONTROLS).focus();
  } else if (within && (event.key === "F2" || event.key === "Escape")) frame.focus();
  else if (within || event.altKey) return;
  else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a") state.chooseAll();
  else if (event.ctrlKey || event.metaKey) return;
  else if (event.key === "Escape") state.clear();
  else if (event.key === " " && event.target === frame) state.toggle(card);
  else {
    const other = reached(event.key, card, [...card.parentElement.children]);
    if (!other) return;
    other.querySelector(".frame").focus();
    if (event.shiftKey) state.extend(other, card);
  }
  event.preventDefault();
}

// The card to which a key leads, the same one where there is no other; null for other keys.
function reached(key, card, cards) {
  const place = cards.indexOf(card);
  if (key === "ArrowLeft") return cards[Math.max(0, place - 1)];
  if (key === "ArrowRight") return cards[Math.min(cards.length - 1, place + 1)];
  if (key === "Home") return cards[0];
  if (key === "End") return cards.at(-1);
  if (key === "ArrowUp") return inRow(card, cards.slice(0, place).reverse());
  if (key === "ArrowDown") return inRow(card, cards.slice(place + 1));
  return null;
}

// Of the nearest row of those that follow, the card that lies most nearly above or below.
function inRow(card, following) {
  const top = (one) => Math.round(one.getBoundingClientRect().top);
  const middle = (one) => one.getBoundingClientRect().left + one.offsetWidth / 2;
  const first = following.find((one) => top(one) !== top(card));
  if (!first) return card;
  const row = following.filter((one) => top(one) === top(first));
  const away = (one) => Math.abs(middle(one) - middle(card));
  return row.reduce((best, one) => (away(one) < away(best) ? one : best));
}
