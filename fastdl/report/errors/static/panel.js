// The filters, and the table of categories: counts, and what each costs.

import { change, colourOf, events, filter, isDecided, keyOf, store, tag, toggle } from "./store.js";

const of = (id) => document.getElementById(id);
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const WHICH = ["wrong", "all", "labels"];
const SELECTS = ["true", "predicted", "tag", "sort"];

let renamed = null; // the category of the open dialog

export function start() {
  for (const name of SELECTS) of(name).addEventListener("change", () => filter({ [name]: of(name).value }));
  of("text").addEventListener("input", () => filter({ text: of("text").value }));
  for (const which of WHICH) of(`which-${which}`).addEventListener("click", () => filter({ which }));
  of("clear").addEventListener("click", clear);
  of("filters").addEventListener("submit", (event) => event.preventDefault());
  of("new-form").addEventListener("submit", add);
  of("rename-form").addEventListener("submit", rename);
  of("rename-cancel").addEventListener("click", () => of("rename").close());
  of("forget").addEventListener("click", forget);
  events.addEventListener("tags", () => {
    summary();
    categories();
    options();
  });
  events.addEventListener("order", () => {
    options();
    shown();
  });
}

function clear() {
  filter({ text: "", true: "", predicted: "", tag: "" });
  of("list").focus();
}

function summary() {
  const { title, error, wrong, count, examined } = store;
  document.title = `${title} · fastdl`;
  of("title").textContent = title;
  of("summary").textContent = `error ${percent(error, 2)}: ${wrong.toLocaleString("en")} of ${count.toLocaleString("en")} wrong`;
  progress();
  of("undo").disabled = !store.undo;
  of("redo").disabled = !store.redo;
  of("where").textContent = store.file ? `, in ${store.file}` : "";
  const some = examined > 0 && examined < wrong;
  of("estimate").textContent = some
    ? "Estimates from the mistakes looked at; fair when these were taken in random order."
    : "";
}

/** Show how much is done: of the mistakes, or of the labels. */
function progress() {
  let [done, all, word] = [store.examined, store.wrong, "looked at"];
  if (store.review) {
    const labels = [...store.suspects.keys()];
    [done, all, word] = [labels.filter(isDecided).length, labels.length, "decided"];
  }
  of("examined").max = Math.max(1, all);
  of("examined").value = done;
  of("examined-text").textContent = `${done.toLocaleString("en")} of ${all.toLocaleString("en")} ${word}`;
}

/** Show how many examples there are, and whether tags changed since. */
function shown() {
  const { order, filters } = store;
  const noun = { wrong: "mistake", labels: "label" }[filters.which] ?? "example";
  of("count").textContent = `${order.length.toLocaleString("en")} ${noun}${order.length === 1 ? "" : "s"}`;
  const filtered = ["text", "true", "predicted", "tag"].some((name) => filters[name] !== "");
  of("clear").hidden = !filtered;
  of("empty").hidden = order.length > 0;
  of("empty").textContent = filtered
    ? "No example fits these filters."
    : { wrong: "Every answer is right. “All” shows the examples." }[filters.which] ?? "There are none.";
  for (const which of WHICH) of(`which-${which}`).setAttribute("aria-pressed", filters.which === which);
  for (const id of ["which-labels", "suspicion", "review-keys"]) of(id).hidden = !store.review;
}

/** Fill the lists of classes and tags, with the number of mistakes of each. */
function options() {
  const wrong = { true: [], predicted: [] };
  store.true.forEach((own, i) => {
    const answer = store.predicted[i];
    if (own === answer) return;
    wrong.true[own] = (wrong.true[own] ?? 0) + 1;
    wrong.predicted[answer] = (wrong.predicted[answer] ?? 0) + 1;
  });
  for (const name of ["true", "predicted"]) {
    const classes = store.classes.map((text, i) => [String(i), `${text} (${wrong[name][i] ?? 0})`]);
    fillSelect(of(name), [["", "any"], ...classes], store.filters[name]);
  }
  const tags = store.categories.map((name) => [`=${name}`, name]);
  fillSelect(of("tag"), [["", "any or none"], ["none", "no tag"], ["any", "any tag"], ...tags], store.filters.tag);
  of("sort").value = store.filters.sort;
  if (of("text").value !== store.filters.text) of("text").value = store.filters.text;
}

function fillSelect(select, choices, value) {
  select.replaceChildren(...choices.map(([key, text]) => new Option(text, key)));
  select.value = value;
}

function categories() {
  const rows = new Map(store.ceilings.map((row) => [row.category, row]));
  const focused = document.activeElement?.dataset?.focus;
  of("category-rows").replaceChildren(
    ...store.categories.map((name, place) => {
      const { right, share, left } = rows.get(name) ?? {}; // none of what is no cause
      const line = document.createElement("tr");
      line.style.setProperty("--share", share ?? 0);
      line.className = colourOf(place);
      const key = line.insertCell();
      if (keyOf(place)) key.appendChild(document.createElement("kbd")).textContent = keyOf(place);
      const head = line.appendChild(document.createElement("th"));
      head.scope = "row";
      const button = head.appendChild(document.createElement("button"));
      button.type = "button";
      button.textContent = name;
      button.title = "Set on, or remove from, the chosen examples";
      button.dataset.focus = `toggle ${name}`;
      button.addEventListener("click", () => toggle(name));
      const edit = head.appendChild(document.createElement("button"));
      edit.type = "button";
      edit.className = "edit";
      edit.title = `Rename or remove ${name}`;
      edit.dataset.focus = `edit ${name}`;
      edit.append(of("pencil").content.cloneNode(true));
      edit.setAttribute("aria-label", `Rename or remove ${name}`);
      edit.addEventListener("click", () => open(name));
      const count = line.insertCell();
      count.textContent = store.counts[name];
      if (right) {
        count.title = `and ${right} right ones`;
        const more = count.appendChild(document.createElement("span"));
        more.className = "quiet";
        more.textContent = ` +${right}`;
      }
      line.insertCell().textContent = share === undefined ? "–" : percent(share);
      line.insertCell().textContent = left === undefined ? "–" : percent(left, 2);
      return line;
    }),
  );
  if (focused) document.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}

async function add(event) {
  event.preventDefault();
  const name = of("new-name").value.trim();
  if (!name) return;
  if (await tag(name, true)) {
    of("new-name").value = "";
    of("list").focus();
  }
}

function open(name) {
  renamed = name;
  of("rename-name").value = name;
  of("forget").disabled = [...store.tags.values()].some((names) => names.includes(name));
  of("rename").showModal();
  of("rename-name").select();
}

async function rename(event) {
  event.preventDefault();
  const name = of("rename-name").value.trim();
  of("rename").close();
  if (name && name !== renamed) await change("rename", { category: renamed, name }, `renamed to ${name}`);
}

async function forget() {
  of("rename").close();
  await change("forget", { category: renamed }, `${renamed} removed`);
}
