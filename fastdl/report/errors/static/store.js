// What the page knows: the examples, their tags, which are shown and which are chosen.

import { get, post } from "./server.js";

const RESERVED = "nru"; // keys of commands
const LETTERS = [..."123456789abcdefghijklmnopqrstuvwxyz"].filter(
  (key) => !RESERVED.includes(key),
);
const COLOURS = 8; // in the style sheet
const WORDS = ["text", "true", "predicted", "tag", "sort", "which"]; // of the address

export const events = new EventTarget(); // "tags", "order", "choice", "failure", "said"
export const store = {
  filters: { text: "", true: "", predicted: "", tag: "", sort: "loss", which: "wrong" },
  order: [], // the examples shown, in order
  place: 0, // of the chosen one in it
  anchor: 0, // the other end of the chosen ones
  tags: new Map(), // of the examples that have any
  stale: false, // whether tags changed since the order was made
};

export function emit(name, detail) {
  events.dispatchEvent(new CustomEvent(name, { detail }));
}

/** Load all; keep what is shown and chosen. */
export async function load() {
  const state = await get("state");
  Object.assign(store, state, { tags: new Map() });
  store.count = store.true.length;
  store.suspects = new Map();
  for (const [index, suggested, score] of state.review?.labels ?? []) {
    store.suspects.set(index, { suggested, score });
  }
  takeTags(state.tags);
  if (!store.entered) Object.assign(store.filters, usual());
  store.entered = true;
  readAddress();
  emit("tags");
  reorder();
}

/** Send a change and take in what the server made of it. */
export async function change(path, content, said) {
  try {
    const changes = await post(path, content);
    const missed = changes.revision !== store.revision + 1; // by another window
    const { tags, ...rest } = changes;
    Object.assign(store, rest);
    if (missed) {
      await load();
    } else {
      takeTags(tags);
      store.stale = true;
      emit("tags", Object.keys(tags).map(Number));
    }
    emit("failure", "");
    emit("said", typeof said === "function" ? said(Object.keys(tags)) : said);
    return true;
  } catch (error) {
    emit("failure", error.message);
    return false;
  }
}

const usual = () => ({ which: store.which, sort: store.review ? "suspicion" : "loss" });

function takeTags(tags) {
  for (const [index, names] of Object.entries(tags)) {
    if (names.length) store.tags.set(Number(index), names);
    else store.tags.delete(Number(index));
  }
}

export const tagsOf = (index) => store.tags.get(index) ?? [];
export const isWrong = (index) => store.true[index] !== store.predicted[index];
export const keyOf = (place) => LETTERS[place] ?? "";
export const colourOf = (place) => `c${place % COLOURS}`;
export const chosen = () => store.order[store.place];

/** Return all chosen examples. */
export function allChosen() {
  const [first, last] = [store.place, store.anchor].sort((a, b) => a - b);
  return store.order.slice(first, last + 1);
}

export const isChosen = (place) =>
  place >= Math.min(store.place, store.anchor) && place <= Math.max(store.place, store.anchor);

export function choose(place, extend = false) {
  const last = store.order.length - 1;
  store.place = Math.max(0, Math.min(place, last));
  if (!extend) store.anchor = store.place;
  emit("choice");
}

/** Set a tag of the chosen examples, or remove it when all of them have it. */
export function toggle(category) {
  return tag(category, !allChosen().every((index) => tagsOf(index).includes(category)));
}

/** Set a tag of the chosen examples, or remove it. */
export async function tag(category, inside) {
  const examples = allChosen();
  if (!examples.length) {
    emit("failure", "There is no example to tag.");
    return false;
  }
  const what = examples.length > 1 ? `${examples.length} examples` : `example ${examples[0]}`;
  return change("tag", { examples, category, inside }, () => {
    const count = store.counts[category];
    return `${category} ${inside ? "set on" : "removed from"} ${what}; ${count} mistakes`;
  });
}

/** Whether somebody has said what the label of a suspect is. */
export const isDecided = (index) =>
  index in store.corrected || tagsOf(index).includes(store.review.confirmed);

/** Give the chosen example a label, or confirm its own, and go to the next one. */
export async function decide(label) {
  const index = chosen();
  const own = label === store.true[index];
  const said = own ? "confirmed" : `corrected to ${store.classes[label]}`;
  if (await change("label", { example: index, label }, `label of example ${index} ${said}`)) {
    if (chosen() === index) choose(store.place + 1);
  }
}

const several = (indices, word) =>
  indices.length === 1 ? `${word} on example ${indices[0]}` : `${word} on ${indices.length} examples`;

export async function undo() {
  if (store.undo) return change("undo", {}, (indices) => several(indices, "undone"));
  emit("said", "nothing to undo");
}

export async function redo() {
  if (store.redo) return change("redo", {}, (indices) => several(indices, "redone"));
  emit("said", "nothing to redo");
}

/** Change filters or the order of the examples. */
export function filter(changes) {
  Object.assign(store.filters, changes);
  writeAddress();
  reorder();
}

/** Apply the filters; the chosen example stays chosen where it is still shown. */
export function reorder() {
  const before = chosen();
  const { sort, which } = store.filters;
  const fits = matcher();
  const order = [];
  for (let i = 0; i < store.count; i++) {
    if (isIn(which, i) && fits(i)) order.push(i);
  }
  const { loss, confidence } = store;
  const compare = {
    loss: (a, b) => loss[b] - loss[a] || a - b,
    confidence: (a, b) => confidence[b] - confidence[a] || a - b,
    doubt: (a, b) => confidence[a] - confidence[b] || a - b,
    suspicion: (a, b) => suspicion(b) - suspicion(a) || a - b,
    random: (a, b) => scattered(a) - scattered(b) || a - b,
  }[sort];
  if (compare) order.sort(compare);
  store.order = order;
  store.place = store.anchor = Math.max(0, order.indexOf(before));
  store.stale = false;
  emit("order");
  emit("choice");
}

function isIn(which, i) {
  if (which === "all") return true;
  return which === "wrong" ? isWrong(i) : store.suspects.has(i);
}

const suspicion = (i) => store.suspects.get(i)?.score ?? 0;

/** Return a test of an example by the filters. */
function matcher() {
  const { text, true: own, predicted, tag } = store.filters;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const classes = store.classes.map((name) => name.toLowerCase());
  return (i) => {
    if (own !== "" && store.true[i] !== Number(own)) return false;
    if (predicted !== "" && store.predicted[i] !== Number(predicted)) return false;
    const tags = tagsOf(i);
    if (tag === "none" ? tags.length : tag === "any" ? !tags.length : tag && !tags.includes(tag.slice(1))) {
      return false;
    }
    return words.every(
      (word) =>
        classes[store.true[i]].includes(word) ||
        classes[store.predicted[i]].includes(word) ||
        String(i) === word ||
        tags.some((name) => name.toLowerCase().includes(word)),
    );
  };
}

/** Return a number that looks like chance, and is the same each time. */
function scattered(i) {
  let x = Math.imul(i + 1, 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

// The filters stand in the address, so that they survive a reload.

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const word of WORDS) {
    if (given.has(word)) store.filters[word] = given.get(word);
  }
  const index = store.order.length ? chosen() : Number(given.get("example") ?? -1);
  store.order = [index];
  store.place = 0;
}

export function writeAddress() {
  const { filters } = store;
  const given = WORDS.filter((word) => filters[word] !== (usual()[word] ?? ""));
  const words = new URLSearchParams(given.map((word) => [word, filters[word]]));
  if (store.order.length) words.set("example", chosen());
  history.replaceState(null, "", `${location.pathname}#${words}`);
}
