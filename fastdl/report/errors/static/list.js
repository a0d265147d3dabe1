// The list of examples: only those in sight are in the document.

import { draw } from "./pictures.js";
import { choose, colourOf, events, isChosen, isDecided, isWrong, keyOf, store, tagsOf, writeAddress } from "./store.js";

const SIZES = [72, 96, 128, 176, 240]; // the least width of a card, in pixels
const NARROW = 110; // below, there is no room for the confidence
const GAP = 10;
const CAPTION = 40; // the lines under a picture
const ROW = 38; // the height of a row of a table
const PAUSE = 300; // ms; browsers ignore an address that changes too often
const BEYOND = 2; // rows that are drawn out of sight

const list = document.getElementById("list");
const space = document.getElementById("space");
const cards = new Map(); // by place
let size = Number(localStorage.getItem("fastdl-size") ?? (innerWidth < 700 ? 1 : 2));
let timer = 0;
let columns = 1;
let width = 0;
let height = 1;

const isTable = () => store.examples.kind === "table";

export function start() {
  list.addEventListener("scroll", () => requestAnimationFrame(fill), { passive: true });
  list.addEventListener("click", (event) => {
    const card = event.target.closest("[role=option]");
    if (card) choose(Number(card.dataset.place), event.shiftKey);
  });
  new ResizeObserver(() => {
    layOut();
    reveal();
    mark();
  }).observe(list);
  events.addEventListener("order", () => {
    clear();
    layOut();
  });
  events.addEventListener("choice", () => {
    reveal();
    mark();
    clearTimeout(timer);
    timer = setTimeout(writeAddress, PAUSE);
  });
  events.addEventListener("tags", () => {
    for (const card of cards.values()) label(card);
  });
}

/** Make the cards larger (1) or smaller (-1). */
export function resize(step) {
  size = Math.max(0, Math.min(SIZES.length - 1, size + step));
  localStorage.setItem("fastdl-size", size);
  clear();
  layOut();
  reveal();
}

/** Return the place to which a key of movement leads, or null. */
export function target(key) {
  const page = Math.max(1, Math.floor(list.clientHeight / height)) * columns;
  const step = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -page,
    PageDown: page,
    Home: -Infinity,
    End: Infinity,
  }[key];
  return step === undefined ? null : store.place + step;
}

function clear() {
  space.replaceChildren();
  cards.clear();
}

function layOut() {
  if (!store.examples) return;
  document.getElementById("sizes").hidden = isTable();
  const whole = list.clientWidth - 2 * GAP;
  if (isTable()) {
    if (whole !== width) clear(); // another number of cells
    columns = 1;
    width = whole;
    height = ROW;
    headings();
  } else {
    const narrow = Math.min(SIZES[size], (whole - GAP) / 2);
    columns = Math.max(1, Math.floor((whole + GAP) / (narrow + GAP)));
    width = (whole - GAP * (columns - 1)) / columns;
    const [h, w] = store.examples.size ?? [1, 2];
    height = width * Math.min(h / w, 1.5) + CAPTION + GAP;
  }
  space.style.height = `${Math.ceil(store.order.length / columns) * height + GAP}px`;
  list.classList.toggle("narrow", width < NARROW);
  list.style.setProperty("--card", `${width}px`);
  for (const [place, card] of cards) settle(card, place);
  fill();
}

/** Name the cells of a table above them. */
function headings() {
  const shown = store.examples.columns.slice(0, room());
  const heads = document.getElementById("columns");
  heads.hidden = !shown.length;
  heads.replaceChildren(
    ...shown.map((name) => {
      const head = element("span", "", name);
      head.title = name;
      return head;
    }),
  );
}

/** Put cards in sight into the document, and take the others out. */
function fill() {
  const first = (Math.floor(list.scrollTop / height) - BEYOND) * columns;
  const last = (Math.ceil((list.scrollTop + list.clientHeight) / height) + BEYOND) * columns;
  for (const [place, card] of cards) {
    if ((place < first || place >= last) && place !== store.place) {
      card.remove();
      cards.delete(place);
    }
  }
  for (let place = Math.max(0, first); place < Math.min(last, store.order.length); place++) {
    if (!cards.has(place)) add(place);
  }
}

function add(place) {
  const index = store.order[place];
  const card = document.createElement("div");
  card.id = `example-${index}`;
  card.className = `card ${store.examples.kind}`;
  card.setAttribute("role", "option");
  card.setAttribute("aria-setsize", store.order.length);
  card.setAttribute("aria-posinset", place + 1);
  card.dataset.index = index;
  card.dataset.place = place;
  card.setAttribute("aria-selected", isChosen(place));
  card.classList.toggle("current", place === store.place);
  card.append(...(isTable() ? row(index) : picture(index)));
  settle(card, place);
  cards.set(place, card);
  label(card);
  space.append(card);
  draw(card, place);
}

function picture(index) {
  const kind = store.examples.kind === "picture" ? "canvas" : "svg";
  const view =
    kind === "svg"
      ? document.createElementNS("http://www.w3.org/2000/svg", kind)
      : document.createElement(kind);
  view.setAttribute("aria-hidden", "true");
  if (kind === "canvas") {
    view.classList.toggle("pixels", Math.max(...store.examples.size) <= 64);
    view.style.aspectRatio = `${store.examples.size[1]} / ${store.examples.size[0]}`;
  }
  const caption = element("span", "caption");
  caption.append(...names(index), sureness(index));
  return [view, element("span", "badges"), caption];
}

function row(index) {
  const cells = element("span", "row-cells");
  cells.dataset.room = room();
  const caption = element("span", "caption");
  caption.append(element("span", "quiet", `${index}`), ...names(index));
  return [caption, sureness(index), cells, element("span", "badges")];
}

/** Return how many cells of a table there is room for. */
const room = () => Math.max(0, Math.floor((width - 380) / 76));

function sureness(index) {
  const suspect = store.suspects.get(index);
  const share = suspect && store.filters.which === "labels" ? suspect.score : store.confidence[index];
  return element("span", "sure", `${Math.round(100 * share)} %`);
}

/** Return the true class, and the answer or the suggestion where it is another. */
function names(index) {
  const suspect = store.suspects.get(index);
  if (suspect && store.filters.which === "labels") {
    const { suggested } = suspect;
    const given = element("span", "own", store.classes[store.true[index]]);
    if (suggested === store.true[index]) return [given];
    return [given, element("span", "suggested", store.classes[suggested])];
  }
  const own = element("span", isWrong(index) ? "own" : "own right", store.classes[store.true[index]]);
  if (!isWrong(index)) return [own];
  return [own, element("span", "answer", store.classes[store.predicted[index]])];
}

function settle(card, place) {
  const column = place % columns;
  const x = GAP + column * (width + GAP);
  const y = GAP / 2 + ((place - column) / columns) * height;
  card.style.transform = `translate(${x}px, ${y}px)`;
}

/** Show the tags of a card, and say all of it in words. */
function label(card) {
  const index = Number(card.dataset.index);
  const tags = tagsOf(index);
  card.querySelector(".badges").replaceChildren(
    ...tags.map((name) => {
      const place = store.categories.indexOf(name);
      const badge = element("span", `badge ${colourOf(place)}`, keyOf(place) || "•");
      badge.title = name;
      return badge;
    }),
    ...decision(index),
  );
  const answer = isWrong(index) ? `taken for ${store.classes[store.predicted[index]]}` : "right";
  const suspect = store.suspects.get(index);
  const label = store.corrected[index];
  const doubt = suspect && isDecided(index)
    ? label === undefined ? "label confirmed" : `corrected to ${store.classes[label]}`
    : suspect && `suspect, may be ${store.classes[suspect.suggested]}`;
  const words = [
    `${store.classes[store.true[index]]} ${answer}, ${Math.round(100 * store.confidence[index])} percent`,
    tags.length ? `tagged ${tags.join(", ")}` : "no tag",
    ...(doubt ? [doubt] : []),
    `example ${index}`,
  ];
  card.setAttribute("aria-label", words.join("; "));
}

/** Return a mark of what was decided about a suspect label. */
function decision(index) {
  if (!store.suspects.has(index) || !isDecided(index)) return [];
  const label = store.corrected[index];
  const text = label === undefined ? "✓" : `⇒ ${store.classes[label]}`;
  return [element("span", "badge decided", text)];
}

/** Scroll to the chosen example. */
function reveal() {
  if (!store.order.length) return;
  const top = Math.floor(store.place / columns) * height;
  const bottom = top + height + GAP;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  fill();
  if (!cards.has(store.place)) add(store.place);
}

function mark() {
  for (const [place, card] of cards) {
    card.setAttribute("aria-selected", isChosen(place));
    card.classList.toggle("current", place === store.place);
  }
  const card = cards.get(store.place);
  if (card) list.setAttribute("aria-activedescendant", card.id);
  else list.removeAttribute("aria-activedescendant");
}

function element(name, classes, text = "") {
  const made = document.createElement(name);
  made.className = classes;
  made.textContent = text;
  return made;
}
