"use strict";
// The page of a study that runs loads itself again, where the reader was, unless the reader is at work on it.

(() => {
  const RELOAD_S = 20;
  const QUIET_S = 5;
  const OLD_S = 600;
  const KEY = `glsweep.scroll ${location.pathname}`;
  const written = Number(document.querySelector("[data-live]").dataset.live);
  const loaded = Date.now();
  let touched = 0;
  let timer;

  function age() {
    const seconds = Math.max(Math.round(Date.now() / 1000 - written), 0);
    const text = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
    const old = seconds > OLD_S ? "; the study may have been killed, `status` says more" : "";
    document.getElementById("age").textContent = `(${text} ago${old})`;
  }

  function memory(act) {
    try {
      return act(sessionStorage);
    } catch {
      return null;
    }
  }

  function tick() {
    age();
    const now = Date.now();
    if (document.hidden || now - loaded < RELOAD_S * 1000 || now - touched < QUIET_S * 1000) return;
    clearInterval(timer); // a second call would begin the loading anew
    memory((store) => store.setItem(KEY, String(scrollY)));
    location.reload();
  }

  for (const kind of ["pointerdown", "keydown", "input", "wheel", "touchmove"]) {
    document.addEventListener(kind, () => (touched = Date.now()), { passive: true });
  }
  document.addEventListener("DOMContentLoaded", () => {
    const top = memory((store) => store.getItem(KEY));
    memory((store) => store.removeItem(KEY));
    if (top !== null) scrollTo({ top: Number(top), behavior: "instant" });
    age();
    timer = setInterval(tick, 1000);
  });
})();
