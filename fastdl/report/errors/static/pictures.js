// How an example looks: a picture from a sheet, the line of a signal, cells of a table.

import { get } from "./server.js";
import { store } from "./store.js";

const CHUNK = 32; // examples that are fetched together
const KEPT = 48; // chunks
const SVG = "http://www.w3.org/2000/svg";
const chunks = new Map(); // by address, the oldest first

/** Draw the example at a place of the order, when it has arrived. */
export async function draw(element, place) {
  const first = place - (place % CHUNK);
  const indices = store.order.slice(first, first + CHUNK);
  const content = await fetched(indices);
  if (!content || element.dataset.index !== String(indices[place - first])) return;
  const number = place - first;
  if (store.examples.kind === "picture") {
    const [height, width] = store.examples.size;
    const canvas = element.querySelector("canvas");
    canvas.width = width;
    canvas.height = height;
    const column = number % store.examples.sheet;
    const row = (number - column) / store.examples.sheet;
    const context = canvas.getContext("2d");
    context.drawImage(content, column * width, row * height, width, height, 0, 0, width, height);
  } else if (store.examples.kind === "signal") {
    line(element.querySelector("svg"), content[number]);
  } else {
    cells(element.querySelector(".row-cells"), content[number]);
  }
  element.classList.add("drawn");
}

/** Return a sheet of pictures, or values; null when they cannot be had. */
function fetched(indices) {
  const address = `${store.examples.kind === "picture" ? "sheet" : "values"}?i=${indices.join(".")}`;
  let content = chunks.get(address);
  if (content) {
    chunks.delete(address);
  } else {
    content = store.examples.kind === "picture" ? image(address) : get(address).catch(() => null);
    content.then((found) => found || chunks.delete(address)); // try again later
  }
  chunks.set(address, content);
  if (chunks.size > KEPT) chunks.delete(chunks.keys().next().value);
  return content;
}

async function image(address) {
  const found = new Image();
  found.src = address;
  try {
    await found.decode();
    return found;
  } catch {
    return null;
  }
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
