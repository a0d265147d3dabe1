// The chosen example, large, with its answers and its tags.

import { get } from "./server.js";
import { show } from "./pictures.js";
import { allChosen, chosen, colourOf, decide, emit, events, isDecided, isWrong, keyOf, store, tagsOf, toggle } from "./store.js";

const PAUSE = 60; // ms: while somebody runs through the list nothing is fetched
const MOST_CELLS = 200;

const of = (id) => document.getElementById(id);
const [detail, view, answers, cells, tags] = ["detail", "view", "answers", "cells", "tags"].map(of);
let timer = 0;

export function start() {
  events.addEventListener("choice", () => {
    detail.hidden = !store.order.length;
    clearTimeout(timer);
    if (detail.hidden) return;
    describe();
    buttons();
    review();
    timer = setTimeout(() => fetchAll(chosen()), PAUSE);
  });
  events.addEventListener("tags", () => {
    buttons();
    review();
  });
  of("accept").addEventListener("click", () => decide(store.suspects.get(chosen()).suggested));
  of("keep").addEventListener("click", () => decide(store.true[chosen()]));
  of("other").addEventListener("change", () => of("other").value && decide(Number(of("other").value)));
}

/** Ask whether the label is right, where it is suspect. */
function review() {
  const index = chosen();
  const suspect = store.suspects?.get(index);
  of("decision").hidden = !suspect;
  if (!suspect) return;
  const { suggested, score } = suspect;
  const own = store.true[index];
  const now = store.corrected[index];
  const text = isDecided(index)
    ? now === undefined ? "The label is confirmed." : `Corrected to ${store.classes[now]}.`
    : `Wrong with a probability of ${Math.round(100 * score)} %.`;
  of("decided").textContent = text;
  of("accept").hidden = suggested === own;
  of("accept").replaceChildren(`It is ${store.classes[suggested]}`, key("Enter"));
  of("keep").replaceChildren(`${store.classes[own]} is right`, key("Space"));
  const others = store.classes.map((name, label) => new Option(name, label));
  of("other").replaceChildren(new Option("another …", ""), ...others);
  of("other").value = "";
}

function key(name) {
  const made = document.createElement("kbd");
  made.textContent = name;
  made.setAttribute("aria-hidden", "true");
  return made;
}

function describe() {
  const index = chosen();
  const several = allChosen().length;
  const title = several > 1 ? `${several} examples` : `Example ${index}`;
  of("number").textContent = title;
  const facts = [
    ["true", store.classes[store.true[index]], "own"],
    ["predicted", store.classes[store.predicted[index]], isWrong(index) ? "answer" : "own"],
    ["loss", store.loss[index].toFixed(3), ""],
  ];
  of("facts").replaceChildren(
    ...facts.map(([name, value, classes]) => {
      const group = document.createElement("div");
      const term = group.appendChild(document.createElement("dt"));
      term.textContent = name;
      const text = group.appendChild(document.createElement("dd"));
      text.textContent = value;
      text.className = classes;
      return group;
    }),
  );
}

async function fetchAll(index) {
  try {
    const [likeliest, values] = await Promise.all([get(`answers?i=${index}`), show(view, index)]);
    if (index !== chosen()) return;
    bars(index, likeliest);
    table(values);
  } catch (error) {
    emit("failure", error.message);
  }
}

function bars(index, likeliest) {
  const room = 6;
  const rows = likeliest.slice(0, room);
  const own = likeliest.find(([label]) => label === store.true[index]);
  if (own && !rows.includes(own)) rows.splice(-1, 1, own);
  answers.replaceChildren(
    ...rows.map(([label, probability]) => {
      const row = document.createElement("li");
      row.className = label === store.true[index] ? "own" : label === store.predicted[index] ? "answer" : "";
      row.style.setProperty("--share", probability);
      const name = row.appendChild(document.createElement("span"));
      name.textContent = store.classes[label];
      const number = row.appendChild(document.createElement("span"));
      number.textContent = `${(100 * probability).toFixed(1)} %`;
      return row;
    }),
  );
}

/** Show all cells of a row; far from the mean of the column is marked. */
function table(values) {
  cells.replaceChildren();
  if (store.examples.kind !== "table" || !values) return;
  const shown = values.values.slice(0, MOST_CELLS);
  const made = document.createElement("table");
  const head = made.createTHead().insertRow();
  for (const text of ["Column", "Value", "From the mean"]) {
    const cell = head.appendChild(document.createElement("th"));
    cell.scope = "col";
    cell.textContent = text;
  }
  const body = made.createTBody();
  shown.forEach((value, i) => {
    const row = body.insertRow();
    const name = row.appendChild(document.createElement("th"));
    name.scope = "row";
    name.textContent = store.examples.columns[i];
    row.insertCell().textContent = value ?? "–";
    const away = values.away[i];
    row.insertCell().textContent = away === null ? "–" : `${signed(away)} σ`;
    row.classList.toggle("far", Math.abs(away) >= 2);
  });
  cells.append(made);
  if (values.values.length > MOST_CELLS) {
    cells.append(`and ${values.values.length - MOST_CELLS} more`);
  }
}

function signed(value) {
  const text = Math.abs(value).toFixed(1);
  return text === "0.0" ? text : `${value < 0 ? "−" : "+"}${text}`;
}

/** Show a button for each category, pressed where the example has the tag. */
function buttons() {
  if (!store.order.length) return;
  const focused = tags.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  const examples = allChosen();
  tags.replaceChildren(
    ...store.categories.map((name, place) => {
      const count = examples.filter((index) => tagsOf(index).includes(name)).length;
      const button = document.createElement("button");
      button.type = "button";
      button.className = `tag ${colourOf(place)}`;
      button.dataset.name = name;
      button.setAttribute("aria-pressed", count === examples.length ? "true" : count ? "mixed" : "false");
      if (keyOf(place)) {
        const key = button.appendChild(document.createElement("kbd"));
        key.textContent = keyOf(place);
        key.setAttribute("aria-hidden", "true");
        button.setAttribute("aria-keyshortcuts", keyOf(place));
      }
      button.append(name);
      button.addEventListener("click", () => toggle(name));
      return button;
    }),
  );
  if (focused !== null) [...tags.children].find((each) => each.dataset.name === focused)?.focus();
}
