"use strict";
// Links with data-cell ("true-answer") choose the mistakes that their run shows.
for (const run of document.querySelectorAll("article")) {
  const gallery = run.querySelector(".mistakes");
  if (!gallery) continue;
  const status = run.querySelector(".status");
  const all = run.querySelector(".all");
  const figures = [...gallery.children];
  const first = Number(gallery.dataset.first);

  const show = (wanted, text) => {
    figures.forEach((figure, i) => { figure.hidden = !wanted(figure, i); });
    const shown = figures.filter((figure) => !figure.hidden).length;
    status.textContent = text(shown);
    all.hidden = shown === figures.length;
  };
  const worst = () => show(
    (_, i) => i < first,
    (shown) => (shown < figures.length ? `The worst ${shown}:` : ""),
  );
  all.addEventListener("click", () => {
    show(() => true, (shown) => `All ${shown} that are in this page:`);
    status.focus();
  });

  for (const link of run.querySelectorAll("a[data-cell], rect[data-cell]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const cell = link.dataset.cell;
      const one = figures.find((figure) => figure.dataset.cell === cell);
      const part = (name) => one.querySelector(name).textContent;
      show(
        (figure) => figure.dataset.cell === cell,
        (shown) => (one
          ? `${part(".true")} taken for ${part(".answer")}, ${shown} shown:`
          : "These are not in this page, to keep it small."),
      );
      status.scrollIntoView({ block: "start" });
      status.focus({ preventScroll: true });
    });
  }
  worst();
  window.addEventListener("beforeprint", worst);
}
