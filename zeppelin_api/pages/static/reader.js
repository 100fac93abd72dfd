// The reader: a profile with its posts, or a thread, drawn from the API's own methods.
import { ask, count, el, webUrl } from "./dom.js";

const content = document.getElementById("content");
const xrpc = (method, parameters) => ask(`/xrpc/app.bsky.${method}`, parameters);
const [, actor, , rkey] = location.pathname.split("/").filter(Boolean).map(plain);

/** A part of the address; one that is not encoded right as it is: the API says what is wrong with it. */
function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const profilePath = (did) => `/profile/${encodeURIComponent(did)}`;
const postPath = (uri) => {
  const [did, , key] = uri.slice("at://".length).split("/");
  return `${profilePath(did)}/post/${encodeURIComponent(key)}`;
};

const labels = (list = []) => list.filter((one) => !one.neg).map((one) => el("span", { class: "label", title: one.src }, one.val));

function who(author, at, uri) {
  const face = webUrl(author.avatar);
  return el("div", { class: "who" },
    face ? el("img", { src: face, alt: "", loading: "lazy" }) : el("span", { class: "face" }),
    el("a", { href: profilePath(author.did) }, el("b", {}, author.displayName || author.handle)),
    el("span", { class: "soft" }, `@${author.handle}`),
    at && el("a", { href: postPath(uri) }, el("time", { datetime: at }, new Date(at).toLocaleString())),
    ...labels(author.labels));
}

/** A post's text with its facets as links; facets count bytes of UTF-8. */
function richText(record) {
  const bytes = new TextEncoder().encode(record.text ?? "");
  const text = (from, to) => new TextDecoder().decode(bytes.slice(from, to));
  const parts = [];
  let at = 0;
  const facets = [...(record.facets ?? [])].sort((a, b) => a.index.byteStart - b.index.byteStart);
  for (const { index, features } of facets) {
    if (index.byteStart < at || index.byteEnd > bytes.length || index.byteEnd <= index.byteStart) continue;
    const feature = features.find((one) => one.did || one.uri) ?? {};
    const href = feature.did ? profilePath(feature.did) : webUrl(feature.uri);
    const words = text(index.byteStart, index.byteEnd);
    parts.push(text(at, index.byteStart), href ? el("a", { href, rel: "noopener nofollow" }, words) : words);
    at = index.byteEnd;
  }
  return el("div", { class: "text" }, ...parts, text(at));
}

function embed(view) {
  const kind = view?.$type?.replace("app.bsky.embed.", "");
  if (kind === "images#view" || kind === "gallery#view") {
    return el("div", { class: "media" }, ...(view.images ?? view.items).map((one) => el("a", { href: webUrl(one.fullsize) }, el("img", { src: webUrl(one.thumb ?? one.thumbnail), alt: one.alt, title: one.alt, loading: "lazy" }))));
  }
  if (kind === "external#view") {
    return el("div", { class: "quote" }, el("a", { href: webUrl(view.external.uri), rel: "noopener nofollow" }, view.external.title || view.external.uri), el("div", { class: "soft" }, view.external.description));
  }
  if (kind === "video#view") {
    return el("div", { class: "media" }, el("a", { href: webUrl(view.playlist) }, el("img", { src: webUrl(view.thumbnail), alt: view.alt ?? "Video", loading: "lazy" })));
  }
  if (kind === "record#view") return quoted(view.record);
  if (kind === "recordWithMedia#view") return el("div", {}, embed(view.media), quoted(view.record.record));
  return null;
}

function quoted(record) {
  if (record.author && record.value) {
    return el("div", { class: "quote" }, who(record.author, record.indexedAt, record.uri), richText(record.value), ...(record.embeds ?? []).map(embed));
  }
  const name = record.displayName ?? record.name ?? record.record?.name;
  return el("div", { class: "quote soft" }, name ? `${name} (${record.uri})` : `Not shown: ${record.$type.split("#view").pop()}`);
}

function post(view, isHere = false) {
  return el("article", { class: isHere ? "post here" : "post" },
    who(view.author, view.record.createdAt, view.uri),
    richText(view.record), embed(view.embed), el("div", {}, ...labels(view.labels)),
    el("div", { class: "soft" }, `${count(view.replyCount)} replies · ${count(view.repostCount)} reposts · ${count(view.likeCount)} likes · ${count(view.quoteCount)} quotes`));
}

function branch(node) {
  if (!node.post) return el("article", { class: "post soft" }, node.blocked ? "Blocked." : "Not found.");
  return el("div", {}, post(node.post), el("div", { class: "replies" }, ...(node.replies ?? []).map(branch)));
}

function parents(node) {
  const above = [];
  for (let one = node.parent; one; one = one.parent) above.unshift(one.post ? post(one.post) : branch(one));
  return above;
}

async function thread() {
  const { did } = await xrpc("actor.getProfile", { actor });
  const { thread: top } = await xrpc("feed.getPostThread", { uri: `at://${did}/app.bsky.feed.post/${rkey}` });
  document.title = `${top.post.author.handle}: ${top.post.record.text.slice(0, 60)}`;
  content.replaceChildren(...parents(top), post(top.post, true), el("div", { class: "replies" }, ...(top.replies ?? []).map(branch)));
}

async function profile() {
  const view = await xrpc("actor.getProfile", { actor });
  document.title = view.displayName || view.handle;
  const feed = el("div");
  const more = el("button", {}, "More");
  let cursor;
  const load = async () => {
    more.disabled = true;
    const page = await xrpc("feed.getAuthorFeed", { actor: view.did, limit: 30, ...(cursor && { cursor }) });
    feed.append(...page.feed.map((item) => el("div", {}, item.reason?.by && el("div", { class: "soft" }, `Reposted by ${item.reason.by.handle}`), post(item.post))));
    cursor = page.cursor;
    more.disabled = false;
    more.hidden = !cursor;
  };
  more.addEventListener("click", () => load().catch(complain));
  content.replaceChildren(
    el("section", { class: "card" }, who(view), el("div", { class: "text" }, view.description ?? ""),
      el("p", { class: "soft" }, `${count(view.followersCount)} followers · ${count(view.followsCount)} following · ${count(view.postsCount)} posts`), ...labels(view.labels)),
    feed, more);
  await load();
}

function complain(problem) {
  content.querySelector("[role=status]")?.remove();
  content.append(el("p", { class: "bad", role: "alert" }, problem.message));
}

(rkey ? thread() : profile()).catch(complain);
