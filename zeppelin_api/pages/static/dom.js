// How the pages make elements. Text is always set as text: nothing from the network is ever markup.

/** An element with attributes and children; strings become text, null and undefined nothing. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value != null) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

/** Only what a browser may follow safely: a record can hold any scheme. */
export const webUrl = (url) => (/^https?:\/\//i.test(url ?? "") ? url : null);

/** An answer of the API; its error becomes an exception that says what was wrong. */
export async function ask(path, parameters = {}) {
  const answer = await fetch(`${path}?${new URLSearchParams(parameters)}`);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.message ?? `${answer.status} ${answer.statusText}`);
  return body;
}

export const count = (value) => Number(value ?? 0).toLocaleString("en");

document.getElementById("find")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const actor = new FormData(event.target).get("actor").trim().replace(/^@/, "");
  if (actor) location.href = `/profile/${encodeURIComponent(actor)}`;
});
