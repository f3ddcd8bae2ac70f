// A client of Sightline for browsers and for Node 18 and newer; nothing to install.
//
//   import { search, searchByImage } from "./sightline.mjs";
//   const [best] = await search({ query: "a red fox", filter: { kind: "drawing" } });
//   const alike = await searchByImage(input.files[0], 3);   // of an <input type="file">

/** Where the service is, and its key if it has one. */
const DEFAULT = { service: "http://localhost:3000", key: undefined };

/**
 * The images that a question asks for, best first: https://…/docs.json has all of its fields.
 * Each result has `imageUrl`, the whole address of its thumbnail, beside what the service says.
 */
export function search(question, options = {}) {
  const headers = { "Content-Type": "application/json" };
  return ask("/search", { headers, body: JSON.stringify(question) }, options);
}

/** The images that resemble one, a Blob or File; `k` of them. */
export function searchByImage(image, k = 5, options = {}) {
  const form = new FormData();
  form.set("image", image);
  form.set("k", String(k));
  return ask("/search_by_image", { body: form }, options);
}

async function ask(path, request, options) {
  const { service, key } = { ...DEFAULT, ...options };
  const headers = { ...request.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  const response = await fetch(new URL(path, service), { ...request, method: "POST", headers });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer.results.map((result) => ({
    ...result,
    imageUrl: new URL(result.image_url, service).href,
  }));
}
