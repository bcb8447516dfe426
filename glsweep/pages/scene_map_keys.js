"use strict";
// The keys of a map's colours.

const mapKeys = (() => {
  function swatch(colour, halo, colours = [colour]) {
    const holder = document.createElement("span");
    const width = 26 / colours.length;
    const parts = colours.map(
      (one, number) => `<rect x="${1 + number * width}" y="4.4" width="${width}" height="3.2" fill="${one}"/>`,
    );
    holder.innerHTML =
      `<svg viewBox="0 0 28 12" aria-hidden="true"><rect x="0" y="3" width="28" height="6" rx="1" fill="${halo}"/>` +
      `${parts.join("")}</svg>`;
    return holder.firstChild;
  }

  function key(title) {
    const element = document.createElement("div");
    element.className = "map-key";
    element.append(Object.assign(document.createElement("b"), { textContent: title }));
    return element;
  }

  function bar(title, gradient, ends) {
    const element = key(title);
    const colours = Object.assign(document.createElement("div"), { className: "colours" });
    colours.style.background = gradient;
    const words = Object.assign(document.createElement("div"), { className: "ends" });
    words.append(...ends.map((end) => Object.assign(document.createElement("span"), { textContent: end })));
    element.append(colours, words);
    return element;
  }

  function steps(title, { steps_m: edges, colours }) {
    const element = key(title);
    const list = Object.assign(document.createElement("div"), { className: "map-steps" });
    colours.forEach((colour, number) => {
      const patch = document.createElement("i");
      patch.style.background = colour;
      const from = edges[number - 1];
      const to = edges[number];
      const words = from === undefined ? `< ${to}` : to === undefined ? `≥ ${from}` : `${from} – ${to}`;
      list.append(patch, Object.assign(document.createElement("span"), { textContent: words }));
    });
    element.append(list);
    return element;
  }

  return { swatch, bar, steps };
})();
