// Which cards are there: those of a further page come to the others, so that no message has all.
// Part of results.js, which lies before it.

// Shows data.html; false where that is there already, or where the cards are not that precede it.
function fill(found, state, data, before) {
  const { pages } = data;
  const there = pages && state.pages?.search === pages.search ? state.pages.until : null;
  const follows = there !== null && [pages.since, pages.until].includes(there);
  if (pages && !follows && pages.since !== pages.first) {
    state.setTriggerValue("action", { name: "whole" });
    return false;
  }
  if (before.html === data.html && (!pages || there === pages.until)) return false;
  const kept = new Map();
  for (const grid of follows ? found.querySelectorAll(".grid") : []) {
    kept.set(isFolded(grid), [...grid.children].filter(({ dataset: { place } }) =>
      pages.first <= place && place < pages.since));
  }
  found.innerHTML = data.html;
  for (const grid of found.querySelectorAll(".grid")) {
    grid.prepend(...(kept.get(isFolded(grid)) ?? []));
  }
  const known = { ...(follows ? state.facts : {}), ...data.facts };
  const ids = [...found.querySelectorAll(".choose")].map((box) => box.value);
  state.facts = Object.fromEntries(ids.map((id) => [id, known[id]]));
  state.pages = pages;
  return true;
}

const isFolded = (grid) => Boolean(grid.closest("details.weaker"));
