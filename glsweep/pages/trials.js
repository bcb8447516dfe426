"use strict";
// All trials of a sweep: which are shown, in what order, and which one is looked at. The table is drawn
// here; `trial_chart.js` and `trial_panel.js` show the same state in their own way.

const trials = (() => {
  const ROWS = 15;
  const PRINTED_ROWS = 200;
  const KEY = `glsweep.trials ${location.pathname}`;
  const COMPARES = {
    ">": (a, b) => a > b,
    "<": (a, b) => a < b,
    ">=": (a, b) => a >= b,
    "<=": (a, b) => a <= b,
    "=": (a, b) => a === b,
  };
  const listeners = [];
  let rows = ROWS;
  let data;
  let all = [];
  let columns = [];
  let state = { text: "", stratum: "", outcome: "", sort: "best", ascending: false, page: 0 };

  // --- The data, and what of it is shown

  function read(source) {
    data = source;
    all = data.trials.map((values, place) => {
      const trial = { place };
      data.columns.forEach((name, n) => (trial[name] = values[n]));
      trial.title = data.strata[trial.stratum].title;
      trial.isWinner = data.strata[trial.stratum].winner === trial.id;
      trial.values = Object.fromEntries(data.parameters.map((one, n) => [one.name, trial.parameters[n]]));
      const words = [trial.id, trial.title, data.strata[trial.stratum].key, trial.outcome, trial.reason, ...trial.parameters];
      trial.words = words.join(" ").toLowerCase();
      return trial;
    });
    columns = columnsOf();
    state.ascending = !data.metric.higherIsBetter;
  }

  function columnsOf() {
    const column = (key, title, of, text = number) => ({ key, title, of, text });
    const several = data.strata.length > 1;
    return [
      column("id", "trial", (trial) => trial.id, String),
      ...(several ? [column("stratum", "stratum", (trial) => trial.title, String)] : []),
      column("outcome", "outcome", (trial) => trial.outcome, String),
      column("best", `best ${data.metric.name}`, (trial) => trial.best, metric),
      column("bestEpoch", "at epoch", (trial) => trial.bestEpoch),
      column("epochs", "epochs", (trial) => trial.epochs),
      column("seconds", "trained", (trial) => trial.seconds, duration),
      ...data.parameters
        .filter((one) => !one.isTied)
        .map(({ name, isNumber }) => column(name, name, (trial) => trial.values[name], isNumber ? number : String)),
    ];
  }

  const number = (value) => String(value);
  const metric = (value) => value.toFixed(3);
  const show = (column, trial) => (column.of(trial) ?? null) === null ? "–" : column.text(column.of(trial));

  function duration(seconds) {
    const minutes = Math.floor(seconds / 60);
    if (minutes < 1) return `${seconds.toFixed(1)} s`;
    if (minutes < 60) return `${minutes} min ${String(Math.round(seconds % 60)).padStart(2, "0")} s`;
    return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  }

  // A word is looked for anywhere; `learning_rate>0.001` compares.
  function matcher(text) {
    const tests = text.toLowerCase().split(/\s+/).filter(Boolean).map((token) => {
      const [, name, sign, value] = token.match(/^([\w.]+)(>=|<=|>|<|=)(.+)$/) || [];
      const key = Object.keys(all[0].values).find((one) => one.toLowerCase() === name);
      const of = columns.find((one) => one.key.toLowerCase() === name)?.of || (key && ((trial) => trial.values[key]));
      if (!of) return (trial) => trial.words.includes(token);
      return (trial) => {
        const own = of(trial);
        if (own === null || own === undefined) return false;
        return typeof own === "number" ? COMPARES[sign](own, Number(value)) : String(own).includes(value);
      };
    });
    return (trial) => tests.every((test) => test(trial));
  }

  function shown() {
    const matches = matcher(state.text);
    const column = columns.find((one) => one.key === state.sort) || columns[0];
    const sign = state.ascending ? 1 : -1;
    return all
      .filter(
        (trial) =>
          (!state.stratum || trial.title === state.stratum) &&
          (!state.outcome || trial.outcome === state.outcome) &&
          matches(trial) &&
          (!state.box || trialChart.isWithin(trial, state.box)),
      )
      .sort((a, b) => sign * compare(column.of(a), column.of(b), sign));
  }

  // Trials without a value come last, whatever the direction.
  function compare(a, b, sign) {
    const [isMissing, otherIs] = [a ?? null, b ?? null].map((value) => value === null);
    if (isMissing || otherIs) return sign * (isMissing - otherIs);
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  }

  // --- State

  function set(change) {
    if (!("page" in change) && !("selected" in change)) state.page = 0;
    Object.assign(state, change);
    remember();
    render();
  }

  function remember() {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(state));
    } catch {
      // The page works without memory.
    }
  }

  function recall() {
    try {
      return JSON.parse(sessionStorage.getItem(KEY)) || {};
    } catch {
      return {};
    }
  }

  // --- The table

  const byId = (id) => document.getElementById(id);

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== false && value !== null) node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children);
    return node;
  }

  function head() {
    const cells = columns.map((column) => {
      const isSorted = state.sort === column.key;
      const order = isSorted ? (state.ascending ? "ascending" : "descending") : "none";
      const button = element("button", { type: "button", onclick: () => sortBy(column) }, column.title);
      return element("th", { scope: "col", "aria-sort": order, class: isNumeric(column) && "number" }, button);
    });
    byId("trial-head").replaceChildren(element("tr", {}, ...cells));
  }

  function isNumeric(column) {
    return column.text !== String;
  }

  function sortBy(column) {
    const focused = columns.indexOf(column);
    const isSame = state.sort === column.key;
    const startsUp = column.key === "best" ? !data.metric.higherIsBetter : true;
    set({ sort: column.key, ascending: isSame ? !state.ascending : startsUp });
    byId("trial-head").querySelectorAll("button")[focused].focus();
  }

  function row(trial) {
    const cells = columns.map((column, n) => {
      const text = show(column, trial);
      if (n) return element("td", { class: isNumeric(column) && "number" }, text);
      const button = element("button", { type: "button", "aria-pressed": String(state.selected === trial.id) }, text);
      return element("th", { scope: "row" }, button, ...(trial.isWinner ? [" ", element("span", { class: "won" }, "won")] : []));
    });
    return element(
      "tr",
      {
        "data-place": trial.place,
        "data-outcome": trial.outcome,
        class: state.selected === trial.id && "selected",
        onclick: () => select(trial),
        onmouseenter: () => trialChart.point(trial),
        onmouseleave: () => trialChart.point(null),
      },
      ...cells,
    );
  }

  function select(trial) {
    set({ selected: trial.id });
    byId("trial-body").querySelector(`[data-place="${trial.place}"] button`)?.focus({ preventScroll: true });
    byId("trial").scrollIntoView({ block: "nearest" });
  }

  function render() {
    const found = shown();
    const pages = Math.max(Math.ceil(found.length / rows), 1);
    state.page = Math.min(state.page, pages - 1);
    const from = state.page * rows;
    head();
    byId("trial-body").replaceChildren(...found.slice(from, from + rows).map(row));
    byId("trial-count").textContent =
      found.length === all.length ? `${all.length} trials` : `${found.length} of ${all.length} trials`;
    byId("trial-place").textContent = found.length
      ? `${from + 1} to ${Math.min(from + rows, found.length)} of ${found.length}`
      : "No trial is like that.";
    byId("trial-pages").classList.toggle("single", pages === 1 && found.length > 0);
    byId("trial-back").disabled = state.page === 0;
    byId("trial-next").disabled = state.page >= pages - 1;
    byId("trial-reset").disabled = !(state.text || state.stratum || state.outcome || state.box);
    const chosen = all.find((trial) => trial.id === state.selected) || found[0] || all[0];
    for (const listener of listeners) listener({ data, all, found, chosen, state });
  }

  function highlight(place) {
    for (const one of byId("trial-body").querySelectorAll(".hovered")) one.classList.remove("hovered");
    if (place !== null) byId("trial-body").querySelector(`[data-place="${place}"]`)?.classList.add("hovered");
  }

  function turn(page, number) {
    state.page = page;
    rows = number;
    render();
  }

  // --- Controls

  function fill(select, names) {
    select.append(...names.map((name) => element("option", { value: name }, name)));
  }

  function listen(id, key) {
    const control = byId(id);
    control.value = state[key] || "";
    control.addEventListener("input", () => set({ [key]: control.value }));
  }

  function begin() {
    const source = byId("trial-data");
    if (!source) return;
    read(JSON.parse(source.textContent));
    fill(byId("trial-stratum"), data.strata.map((one) => one.title));
    fill(byId("trial-outcome"), [...new Set(all.map((trial) => trial.outcome))].sort());
    Object.assign(state, recall());
    listen("trial-search", "text");
    listen("trial-stratum", "stratum");
    listen("trial-outcome", "outcome");
    byId("trial-back").addEventListener("click", () => set({ page: state.page - 1 }));
    byId("trial-next").addEventListener("click", () => set({ page: state.page + 1 }));
    byId("trial-reset").addEventListener("click", () => {
      for (const id of ["trial-search", "trial-stratum", "trial-outcome"]) byId(id).value = "";
      set({ text: "", stratum: "", outcome: "", box: null });
    });
    document.querySelector("#trials .explorer").hidden = false;
    trialChart.begin(data, all, state);
    render();
    // On paper nobody turns the pages of a table.
    let page = 0;
    window.addEventListener("beforeprint", () => {
      page = state.page;
      turn(0, PRINTED_ROWS);
    });
    window.addEventListener("afterprint", () => turn(page, ROWS));
  }

  document.addEventListener("DOMContentLoaded", begin);

  return { set, select, highlight, element, duration, metric, onChange: (one) => listeners.push(one) };
})();
