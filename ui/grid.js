// What stands in a frame until its thumbnail has come, and what it says where none comes.
// Part of results.js, which lies before it.

// Pixels of a stand-in's longer side: the browser makes it smooth.
const SIDE = 24;
// Milliseconds until stand-ins are drawn.
const UNTIL_DRAWN = 100;

function listenToImages(found, state) {
  // These do not bubble: they are met on their way down.
  found.addEventListener("load", (event) => arrived(event.target), true);
  found.addEventListener("error", (event) => missing(event.target, state.data.broken), true);
}

function standIn(found) {
  near.disconnect();
  for (const image of found.querySelectorAll(".frame:not(.waiting, .broken) img")) {
    if (!isThere(image)) near.observe(image);
  }
}

// Of those in sight alone: to draw or to move a hundred takes longer than to fetch what is seen.
const near = new IntersectionObserver((met) => {
  for (const { isIntersecting, target: image } of met) {
    if (!isIntersecting) continue;
    near.unobserve(image);
    const frame = image.closest(".frame");
    // It may have failed since: what says so must not fade in and out.
    if (isThere(image) || frame.classList.contains("broken")) continue;
    frame.classList.add("waiting");
    // To draw it takes as long as a thumbnail that is near takes to come.
    setTimeout(draw, UNTIL_DRAWN, image);
  }
});

function draw(image) {
  const { thumbhash, ratio } = image.closest(".frame")?.dataset ?? {};
  if (!thumbhash || isThere(image) || !image.isConnected) return;
  image.style.backgroundImage = `url(${imageOf(thumbhash, Number(ratio))})`;
}

function isThere(image) {
  return image.complete && image.naturalWidth > 0;
}

function arrived(image) {
  image.style.backgroundImage = "";
  image.closest(".frame")?.classList.remove("waiting");
}

function missing(image, words) {
  const frame = image.closest(".frame");
  if (!frame || frame.classList.contains("broken")) return;
  arrived(image);
  frame.classList.add("broken");
  const said = document.createElement("span");
  said.textContent = words;
  frame.append(said);
}

// The image of a ThumbHash, as an address.  The format is Evan Wallace's
// (https://evanw.github.io/thumbhash/, MIT licence); build/thumbhash.py writes it.
function imageOf(written, ratio) {
  const bytes = Uint8Array.from(atob(written), (one) => one.charCodeAt(0));
  const head = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
  const shape = bytes[3] | (bytes[4] << 8);
  const clear = head >> 23;
  const wide = shape >> 15;
  const most = clear ? 5 : 7;
  const width = Math.max(1, Math.round(ratio > 1 ? SIDE : SIDE * ratio));
  const height = Math.max(1, Math.round(ratio > 1 ? SIDE / ratio : SIDE));
  let place = clear ? 12 : 10;
  // The values of a channel, pixel by pixel, from its mean and its waves.
  const channel = (mean, across, down, scale) => {
    const values = new Float32Array(width * height).fill(mean);
    for (let cy = 0; cy < down; cy++) {
      for (let cx = cy ? 0 : 1; cx * down < across * (down - cy); cx++) {
        const four = (bytes[place >> 1] >> ((place++ & 1) << 2)) & 15;
        const size = 2 * (four / 7.5 - 1) * scale;
        const [waveX, waveY] = [wave(width, cx), wave(height, cy)];
        for (let at = 0; at < values.length; at++) {
          values[at] += size * waveX[at % width] * waveY[(at / width) | 0];
        }
      }
    }
    return values;
  };
  const signed = (bits) => ((head >> bits) & 63) / 31.5 - 1;
  const across = Math.max(3, wide ? most : shape & 7);
  const down = Math.max(3, wide ? shape & 7 : most);
  const light = channel((head & 63) / 63, across, down, ((head >> 18) & 31) / 31);
  const yellow = channel(signed(6), 3, 3, (((shape >> 3) & 63) / 63) * 1.25);
  const pink = channel(signed(12), 3, 3, (((shape >> 9) & 63) / 63) * 1.25);
  const alpha = clear ? channel((bytes[5] & 15) / 15, 5, 5, (bytes[5] >> 4) / 15) : null;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const drawn = canvas.getContext("2d");
  const pixels = drawn.createImageData(width, height);
  light.forEach((l, at) => {
    const blue = l - (2 / 3) * yellow[at];
    const red = (3 * l - blue + pink[at]) / 2;
    const colour = [red, red - pink[at], blue, alpha ? alpha[at] : 1];
    pixels.data.set(colour.map((part) => 255 * Math.min(1, Math.max(0, part))), 4 * at);
  });
  drawn.putImageData(pixels, 0, 0);
  return canvas.toDataURL();
}

function wave(length, waves) {
  return Array.from({ length }, (_, at) => Math.cos((Math.PI / length) * (at + 0.5) * waves));
}
