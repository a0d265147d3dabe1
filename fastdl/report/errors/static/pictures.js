// How an example looks: a picture from a sheet, the line of a signal, cells of a table.

import { get } from "./server.js";
import { emit, store } from "./store.js";

const CHUNK = 32; // examples that are fetched together
const KEPT = 48; // chunks
const AT_ONCE = 4; // requests
const SVG = "http://www.w3.org/2000/svg";
const chunks = new Map(); // what has arrived by address, the oldest use first
const wanted = new Map(); // what cards wait for, by address
let running = 0;

/** Draw the example of a card, at a place of the order, now or when it has arrived. */
export function draw(card, place) {
  const number = place % CHUNK;
  const indices = store.order.slice(place - number, place - number + CHUNK);
  const address = `${store.examples.kind === "picture" ? "sheet" : "values"}?i=${indices.join(".")}`;
  const content = chunks.get(address);
  if (content) {
    chunks.delete(address);
    chunks.set(address, content);
    paint(card, content, number);
  } else {
    const cards = wanted.get(address) ?? [];
    cards.push([card, number]);
    wanted.set(address, cards);
    queueMicrotask(pump);
  }
}

/** Fetch what was asked for last, unless it has left the window meanwhile. */
function pump() {
  while (running < AT_ONCE && wanted.size) {
    const [address, cards] = [...wanted].at(-1);
    wanted.delete(address);
    if (cards.some(([card]) => card.isConnected)) fetched(address, cards);
  }
}

async function fetched(address, cards) {
  running++;
  try {
    const content = store.examples.kind === "picture" ? await sheet(address) : await get(address);
    chunks.set(address, content);
    for (const [card, number] of cards) if (card.isConnected) paint(card, content, number);
    if (chunks.size > KEPT) forget(chunks.keys().next().value);
  } catch (error) {
    emit("failure", error.message);
  }
  running--;
  pump();
}

async function sheet(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error("The pictures cannot be loaded.");
  return createImageBitmap(await response.blob());
}

/** Drop a chunk; a bitmap holds its memory until it is closed. */
function forget(address) {
  chunks.get(address).close?.();
  chunks.delete(address);
}

function paint(card, content, number) {
  if (store.examples.kind === "picture") {
    const [height, width] = store.examples.size;
    const canvas = card.querySelector("canvas");
    canvas.width = width;
    canvas.height = height;
    const column = number % store.examples.sheet;
    const row = (number - column) / store.examples.sheet;
    const context = canvas.getContext("2d");
    context.drawImage(content, column * width, row * height, width, height, 0, 0, width, height);
  } else if (store.examples.kind === "signal") {
    line(card.querySelector("svg"), content[number]);
  } else {
    cells(card.querySelector(".row-cells"), content[number]);
  }
  card.classList.add("drawn");
}

/** Show one example as large as there is room. */
export async function show(view, index) {
  view.dataset.index = index;
  const { kind, full } = store.examples;
  if (kind === "picture") {
    const found = view.querySelector("img") ?? view.appendChild(new Image());
    found.alt = `Example ${index}, a picture of ${full[1]} × ${full[0]} pixels`;
    found.classList.toggle("pixels", Math.max(...full) <= 96);
    found.src = `picture?i=${index}`;
    return null;
  }
  const values = (await get(`values?i=${index}`))[0];
  if (view.dataset.index !== String(index)) return null;
  if (kind === "signal") {
    const svg = view.querySelector("svg") ?? view.appendChild(document.createElementNS(SVG, "svg"));
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `Example ${index}, a signal of ${values.length} values`);
    const [low, high] = line(svg, values);
    let scale = view.querySelector("p");
    if (!scale) {
      scale = view.appendChild(document.createElement("p"));
      scale.className = "quiet";
    }
    scale.textContent = `${values.length} values, from ${low} to ${high}`;
  }
  return values;
}

/** Draw the lines of a signal; return the least and the greatest value. */
function line(svg, { lines, length }) {
  const known = lines.flat().map((point) => point[1]).filter((value) => value !== null);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const scale = high > low ? 90 / (high - low) : 0;
  svg.setAttribute("viewBox", "0 0 200 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.replaceChildren(
    ...lines.map((points, i) => {
      const path = document.createElementNS(SVG, "path");
      let pen = "M";
      const steps = points.map(([x, y]) => {
        if (y === null) {
          pen = "M";
          return "";
        }
        const step = `${pen}${((200 * x) / Math.max(1, length - 1)).toFixed(1)} ${(95 - scale * (y - low)).toFixed(1)}`;
        pen = "L";
        return step;
      });
      path.setAttribute("d", steps.join(""));
      path.setAttribute("class", `line c${i % 8}`);
      return path;
    }),
  );
  return [low, high];
}

function cells(row, { values, away }) {
  row.replaceChildren(
    ...values.slice(0, row.dataset.room).map((value, i) => {
      const cell = document.createElement("span");
      cell.textContent = value ?? "–";
      cell.classList.toggle("far", Math.abs(away[i]) >= 2);
      return cell;
    }),
  );
}
