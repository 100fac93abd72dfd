// The status page: reads /status.json again and again and draws it.
import { ask, count, el } from "./dom.js";

const PERIOD_MS = 10_000;
const MOST_SAMPLES = 120;
const MOST_LABELERS = 12; // of the card; all are in /status.json
const samples = new Map(); // of each relay's lag, for its line

const sum = (counts) => Object.values(counts).reduce((total, one) => total + one, 0);

function age(from, to) {
  const seconds = Math.max(0, (new Date(to) - new Date(from)) / 1000);
  if (seconds < 120) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(0)} min`;
  return seconds < 172_800 ? `${(seconds / 3600).toFixed(0)} h` : `${(seconds / 86_400).toFixed(0)} d`;
}

function bars(counts, most = 12) {
  const entries = Object.entries(counts).filter(([, value]) => value > 0).slice(0, most);
  const top = Math.max(1, ...entries.map(([, value]) => value));
  if (!entries.length) return [el("p", { class: "soft" }, "None.")];
  return entries.map(([name, value]) =>
    el("div", { class: "bar" }, el("span", {}, name), el("meter", { min: 0, max: top, value, "aria-label": name }), el("output", {}, count(value))));
}

function line(values) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 30");
  svg.setAttribute("preserveAspectRatio", "none");
  const top = Math.max(1, ...values);
  const drawn = document.createElementNS(svg.namespaceURI, "polyline");
  drawn.setAttribute("points", values.map((value, i) => `${(100 * i) / Math.max(1, values.length - 1)},${29 - (28 * value) / top}`).join(" "));
  svg.append(drawn);
  return svg;
}

const card = (title, ...content) => el("section", { class: "card" }, el("h2", {}, title), ...content);

function coverage(now) {
  const done = now.repositories.synchronized ?? 0;
  const all = sum(now.repositories);
  const share = all ? `${((100 * done) / all).toFixed(2)} % of ${count(all)} repositories` : "no repository yet";
  return [
    card("Repositories complete", el("div", { class: "big" }, count(done)), el("p", { class: "soft" }, share), ...bars(now.repositories, 8)),
    card("Records", el("div", { class: "big" }, count(sum(now.records))), el("p", { class: "soft" }, `${count(now.shards)} shards loaded with ${count(now.entries)} entries`)),
    card("Hosts", el("div", { class: "big" }, count(sum(now.hosts))), ...bars(now.hosts)),
  ];
}

function stream(one, now) {
  const seen = samples.get(one.relay) ?? [];
  seen.push(one.lag_seconds);
  samples.set(one.relay, seen.slice(-MOST_SAMPLES));
  const lag = one.event_at == null ? "no event yet" : `${one.lag_seconds.toFixed(2)} s behind`;
  return card(`Firehose of ${new URL(one.relay).host}`,
    el("div", { class: `big ${one.open_gaps ? "bad" : "good"}` }, lag),
    el("p", { class: "soft" }, `Moved ${age(one.updated_at, now.read_at)} ago, ${count(one.events)} events, ${count(one.refused)} refused, ${count(one.open_gaps)} gaps open`),
    line(samples.get(one.relay)));
}

function labelers(now) {
  const down = now.labelers.filter((one) => one.failure);
  const all = sum(now.labelers.map((one) => one.labels));
  const rows = now.labelers.slice(0, MOST_LABELERS).map((one) =>
    el("p", {}, el("a", { href: `/profile/${one.did}` }, one.did), ` ${count(one.labels)} labels `,
      el("span", { class: one.failure ? "bad" : "good" }, one.failure ? `${one.failure} for ${age(one.failed_at, now.read_at)}` : "up"),
      el("span", { class: "soft" }, one.looked_at ? ` (${age(one.looked_at, now.read_at)} ago)` : " (never followed)")));
  return card("Labelers",
    el("div", { class: `big ${down.length ? "bad" : "good"}` }, `${count(now.labelers.length - down.length)} of ${count(now.labelers.length)} up`),
    el("p", { class: "soft" }, `${count(all)} labels`), ...rows);
}

function draw(now) {
  const ages = now.aggregates.map((one) =>
    el("p", {}, el("b", {}, one.name.replaceAll("_", " ")), ` ${age(one.oldest_at, now.read_at)} old `,
      el("span", { class: "soft" }, `${count(one.changed_ranges)} ranges to be counted anew`)));
  const collections = card("Records by table", ...bars(now.records, 20));
  collections.classList.add("wide");
  document.getElementById("cards").replaceChildren(
    ...coverage(now),
    ...now.streams.map((one) => stream(one, now)),
    ...(now.labelers.length ? [labelers(now)] : []),
    card("Counts", ...(ages.length ? ages : [el("p", { class: "soft" }, "Not counted yet.")])),
    card("Waiting to be fetched again", el("div", { class: "big" }, count(now.resyncs))),
    card("Set aside, by reason", ...bars(now.rejected)),
    collections);
  document.getElementById("state").textContent = `As of ${new Date(now.read_at).toLocaleString()}. Numbers of records are the server's estimates.`;
}

async function refresh() {
  try {
    draw(await ask("/status.json"));
  } catch (problem) {
    document.getElementById("state").textContent = `The warehouse cannot be read: ${problem.message}`;
  }
  setTimeout(refresh, PERIOD_MS);
}

refresh();
