// The page of the mistakes: what keys do, and what is said.

import * as detail from "./detail.js";
import * as list from "./list.js";
import * as panel from "./panel.js";
import { change, choose, decide, emit, events, keyOf, load, redo, reorder, store, toggle, undo } from "./store.js";

const LARGEST = 2 ** 24; // bytes of a file that the server takes

const of = (id) => document.getElementById(id);

// The secret of the first address is in a cookie now; it need not stay in sight.
history.replaceState(null, "", `${location.pathname}${location.hash}`);

const COMMANDS = {
  u: undo,
  U: redo,
  r: reorder,
  "/": () => {
    of("panel").open = true;
    of("text").focus();
    of("text").select();
  },
  n: () => {
    of("panel").open = true;
    of("new-name").focus();
  },
  "?": () => of("keys").showModal(),
  "+": () => list.resize(1),
  "=": () => list.resize(1),
  "-": () => list.resize(-1),
};

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") {
    of("list").focus();
    return;
  }
  if (typing || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    const again = event.key === "y" || event.key === "Z";
    if (again || event.key === "z") {
      event.preventDefault();
      (again ? redo : undo)();
    }
    return;
  }
  const onList = event.target === of("list") || event.target === document.body;
  const suspect = onList && store.suspects?.get(store.order[store.place]);
  const place = onList ? list.target(event.key) : null;
  const category = store.categories?.find((_, i) => keyOf(i) === event.key);
  if (suspect && (event.key === "Enter" || event.key === " ")) {
    const own = store.true[store.order[store.place]];
    if (!event.repeat) decide(event.key === "Enter" ? suspect.suggested : own);
  } else if (place !== null) {
    of("list").focus();
    choose(place, event.shiftKey);
  } else if (event.repeat) {
    return; // a key that is held down would set and remove a tag again and again
  } else if (COMMANDS[event.key]) {
    COMMANDS[event.key]();
  } else if (category !== undefined) {
    toggle(category);
  } else {
    return;
  }
  event.preventDefault();
});

of("undo").addEventListener("click", undo);
of("redo").addEventListener("click", redo);
of("stale").addEventListener("click", reorder);
of("help").addEventListener("click", COMMANDS["?"]);
of("larger").addEventListener("click", () => list.resize(1));
of("smaller").addEventListener("click", () => list.resize(-1));
of("restore").addEventListener("click", () => of("file").click());
of("file").addEventListener("change", async () => {
  const [file] = of("file").files;
  of("file").value = "";
  if (!file) return;
  if (file.size > LARGEST) {
    emit("failure", "This file is too large to hold tags.");
    return;
  }
  const type = file.name.toLowerCase().endsWith(".csv") ? "text/csv" : "application/json";
  const said = (changed) => `tags of ${changed.length} examples imported`;
  await change("restore", new Blob([file], { type }), said);
});

events.addEventListener("failure", ({ detail: reason }) => {
  of("alert").textContent = reason;
  of("alert").hidden = !reason;
});
events.addEventListener("said", ({ detail: text }) => {
  of("said").textContent = text;
});
for (const name of ["tags", "order"]) {
  events.addEventListener(name, () => {
    const filtered = store.filters.tag || store.filters.text;
    of("stale").hidden = !(store.stale && filtered);
  });
}

if (matchMedia("(max-width: 759px)").matches) of("panel").open = false;
list.start();
panel.start();
detail.start();
try {
  await load();
  of("list").focus();
  if (store.notice) emit("failure", store.notice);
  document.documentElement.dataset.ready = "true";
} catch (error) {
  emit("failure", error.message);
}
