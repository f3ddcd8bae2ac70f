// The larger view: one image of those that are not folded away, with all that is said of it.
// Part of results.js, which lies before it.

function view(found, dialog, frame) {
  const frames = [...found.querySelectorAll(".grid .frame")].filter(
    (each) => !each.closest("details.weaker:not([open])"),
  );
  const place = frames.indexOf(frame);
  const card = frame.closest("li");
  const small = frame.querySelector("img");
  const part = (name) => dialog.querySelector(`[data-part="${name}"]`);

  // The thumbnail stands there until the whole image has come, and for good where none does.
  const large = part("image");
  large.src = small.currentSrc || small.src;
  large.alt = small.alt;
  if (frame.href) {
    const whole = new Image();
    whole.onload = () => {
      if (dialog.frame === frame) large.src = whole.src;
    };
    whole.src = frame.href;
  }

  part("caption").textContent = card.querySelector("figcaption").textContent;
  part("path").textContent = card.querySelector(".path").textContent;
  const copy = part("copy");
  copy.textContent = copy.dataset.label;
  part("count").textContent = part("count")
    .dataset.label.replace("{n}", place + 1)
    .replace("{all}", frames.length);
  const details = card.querySelector("details dl");
  part("details").replaceChildren(...(details ? [details.cloneNode(true)] : []));
  const like = card.querySelector("[data-action=like]").cloneNode(true);
  like.className = "pill";
  part("like").replaceChildren(like);
  for (const name of ["open", "download"]) {
    const link = part(name);
    link.hidden = !frame.href;
    link.href = frame.href ?? "";
  }
  part("download").download = part("path").textContent.split("/").pop();

  // Before a button is switched off that has the focus.
  if (place === 0 && document.activeElement === part("previous")) part("next").focus();
  if (place === frames.length - 1 && document.activeElement === part("next")) {
    part("previous").focus();
  }
  part("previous").disabled = place === 0;
  part("next").disabled = place === frames.length - 1;
  dialog.frame = frame;
  dialog.step = (by) => {
    const other = frames[place + by];
    if (other) view(found, dialog, other);
  };
  if (!dialog.open) dialog.showModal();
}

function listenToView(dialog, follow) {
  let began = null;
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-part]");
    // Beside it, too.
    if (event.target === dialog || button?.dataset.part === "close") dialog.close();
    else if (button?.dataset.part === "previous") dialog.step(-1);
    else if (button?.dataset.part === "next") dialog.step(1);
    else if (button?.dataset.part === "copy") copyPath(dialog, button);
    else if (event.target.closest("[data-action]")) {
      // What it leads to lies below.
      dialog.close();
      follow(event);
    }
  });
  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    dialog.step(by);
  });
  dialog.addEventListener("touchstart", (event) => {
    began = event.touches.length === 1 ? event.touches[0].clientX : null;
  });
  dialog.addEventListener("touchend", (event) => {
    const moved = began === null ? 0 : event.changedTouches[0].clientX - began;
    if (Math.abs(moved) > 50) dialog.step(moved > 0 ? -1 : 1);
  });
  // Back to the card of the image that was looked at last.
  dialog.addEventListener("close", () => dialog.frame?.focus());
}

async function copyPath(dialog, button) {
  const path = dialog.querySelector("[data-part=path]");
  try {
    await navigator.clipboard.writeText(path.textContent);
    button.textContent = button.dataset.done;
  } catch {
    // Not allowed here: it is selected, to be copied by hand.
    getSelection().selectAllChildren(path);
  }
}
