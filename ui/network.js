// Says that there is no connection: without one, what is asked waits in silence.
// Part of results.js, which lies before it.

// Milliseconds in which the server has usually begun to answer, and then does not take to live.
const USUAL = 3000;
const PATIENCE = 4000;

function listenToNetwork(notice, state) {
  let waiting = null;
  const tell = (there) => {
    const words = there ? "" : state.data.offline;
    // Set again, it would be read out again.
    if (notice.textContent !== words) notice.textContent = words;
  };
  const look = async () => {
    clearTimeout(waiting);
    const there = navigator.onLine && (await answers());
    tell(there);
    if (!there) waiting = setTimeout(look, USUAL);
  };
  const expect = (event) => {
    if (event.type === "keydown" && event.key !== "Enter") return;
    if (event.type === "click" && !event.target.closest?.("button, [data-action], label")) return;
    clearTimeout(waiting);
    waiting = setTimeout(look, USUAL);
  };
  const at = ["online", "offline"];
  const of = ["keydown", "click"];
  for (const name of at) addEventListener(name, look);
  for (const name of of) document.addEventListener(name, expect, true);
  state.arrived = () => {
    clearTimeout(waiting);
    tell(true);
  };
  return () => {
    clearTimeout(waiting);
    for (const name of at) removeEventListener(name, look);
    for (const name of of) document.removeEventListener(name, expect, true);
  };
}

async function answers() {
  try {
    const health = new URL("_stcore/health", document.baseURI);
    return (await fetch(health, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) })).ok;
  } catch {
    return false;
  }
}
