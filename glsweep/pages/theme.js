"use strict";
// Light, dark, or as the system: the reader's choice, which is remembered where the browser allows it.

const theme = (() => {
  const KEY = "glsweep.theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const listeners = [];

  function remembered() {
    try {
      return localStorage.getItem(KEY) || "system";
    } catch {
      return "system";
    }
  }

  function remember(choice) {
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // A browser that keeps nothing still shows the choice.
    }
  }

  function show(choice) {
    if (choice === "system") delete root.dataset.theme;
    else root.dataset.theme = choice;
    for (const listener of listeners) listener();
  }

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  }

  // What a CSS variable stands for now, as a colour that every script understands.
  function colour(name) {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  show(remembered());
  system.addEventListener("change", () => show(remembered()));
  document.addEventListener("DOMContentLoaded", () => {
    for (const select of document.querySelectorAll("select.theme")) {
      select.value = remembered();
      select.closest("[hidden]")?.removeAttribute("hidden");
      select.addEventListener("change", () => {
        remember(select.value);
        show(select.value);
      });
    }
  });

  return {
    colour,
    isDark,
    onChange: (listener) => listeners.push(listener),
    // Print is on white paper, whatever the screen shows.
    beginPrint: () => show("light"),
    endPrint: () => show(remembered()),
  };
})();
