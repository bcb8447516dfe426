"use strict";
// Each trial as a dot: its best metric against a parameter. A box drawn over them filters the table.

const trialChart = (() => {
  const MOST_CATEGORIES = 8;
  const FADED = 0.12;
  let axes = {};
  let traces = [];
  let latest;

  // --- Axes: numbers on a scale; few or wordy values as categories, spread a little

  function axisOf(name, isLog, all, of) {
    const values = [...new Set(all.map(of))];
    const given = values.filter((value) => value !== null);
    const isNumber = given.every((value) => typeof value === "number");
    if (isNumber && given.length > MOST_CATEGORIES) {
      return { name, of, layout: isLog ? { type: "log", dtick: "D2" } : { type: "linear" } };
    }
    given.sort((a, b) => (isNumber ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true })));
    const names = values.includes(null) ? [...given, null] : given;
    const spread = (trial) => ((trial.place * 0.618034) % 1) * 0.5 - 0.25;
    return {
      name,
      of: (trial) => names.indexOf(of(trial)) + spread(trial),
      layout: {
        type: "linear",
        tickvals: names.map((_, place) => place),
        ticktext: names.map((value) => (value === null ? "none" : String(value))),
        range: [-0.6, names.length - 0.4],
      },
    };
  }

  function axesOf(data, all) {
    const told = data.parameters.filter((one) => !one.isTied);
    const found = told.map(({ name, isLog }) => axisOf(name, isLog, all, (trial) => trial.values[name]));
    const ofTrials = [
      axisOf("place in the sweep", false, all, (trial) => trial.place),
      axisOf("epochs", false, all, (trial) => trial.epochs),
    ];
    if (data.strata.length > 1) ofTrials.push(axisOf("stratum", false, all, (trial) => trial.title));
    return Object.fromEntries([...found, ...ofTrials].map((axis) => [axis.name, axis]));
  }

  // The parameter with the most values; without any, the stratum or the order of the sweep.
  function mostSearched(data, all) {
    const values = (name) => new Set(all.map((trial) => trial.values[name])).size;
    const names = data.parameters.filter((one) => axes[one.name]).map((one) => one.name);
    const other = axes.stratum ? "stratum" : "place in the sweep";
    return names.sort((a, b) => values(b) - values(a))[0] ?? other;
  }

  function isWithin(trial, box) {
    const x = axes[box.axis]?.of(trial) ?? null;
    if (x === null || trial.best === null) return false;
    return x >= box.x[0] && x <= box.x[1] && trial.best >= box.y[0] && trial.best <= box.y[1];
  }

  // --- Drawing

  const node = () => document.getElementById("trial-chart");

  function symbol(trial, number) {
    if (trial.isWinner) return "star";
    const shape = ["circle", "square", "diamond", "triangle-up"][number % 4];
    return trial.outcome === "completed" ? shape : `${shape}-open`;
  }

  function trace(stratum, number, axis, all, found) {
    // The legend shows the first: a plain dot, if there is one.
    const plain = (trial) => (trial.outcome === "completed" && !trial.isWinner ? 0 : 1);
    const own = all
      .filter((trial) => trial.stratum === number && trial.best !== null)
      .sort((a, b) => plain(a) - plain(b));
    traces[number] = own;
    return {
      type: "scatter",
      mode: "markers",
      name: stratum.title,
      x: own.map(axis.of),
      y: own.map((trial) => trial.best),
      hovertemplate: own.map((trial) => `${trial.id}<br>${trial.outcome}, %{y:.3f}<extra>${stratum.title}</extra>`),
      marker: {
        color: stratum.colour,
        opacity: 0.95,
        size: own.map((trial) => (trial.isWinner ? 13 : 7)),
        symbol: own.map((trial) => symbol(trial, stratum.shape)),
      },
      selectedpoints: found && own.flatMap((trial, place) => (found.has(trial.place) ? [place] : [])),
      unselected: { marker: { opacity: FADED } },
      selected: { marker: { opacity: 0.95 } },
    };
  }

  function ring(chosen, axis) {
    const isThere = chosen && chosen.best !== null;
    return {
      type: "scatter",
      mode: "markers",
      x: isThere ? [axis.of(chosen)] : [],
      y: isThere ? [chosen.best] : [],
      marker: { symbol: "circle-open", size: 17, color: "var(--ink)", line: { width: 1.6 } },
      hoverinfo: "skip",
      showlegend: false,
    };
  }

  function rectangle(box) {
    const line = { color: "var(--soft)", width: 1, dash: "dot" };
    return { type: "rect", x0: box.x[0], x1: box.x[1], y0: box.y[0], y1: box.y[1], line };
  }

  function figure({ data, all, found, chosen, state }) {
    const axis = axes[state.axis];
    const places = found.length === all.length ? null : new Set(found.map((trial) => trial.place));
    return {
      data: [...data.strata.map((one, n) => trace(one, n, axis, all, places)), ring(chosen, axis)],
      layout: {
        dragmode: "select",
        selections: [],
        shapes: state.box && state.box.axis === state.axis ? [rectangle(state.box)] : [],
        showlegend: data.strata.length > 1,
        legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
        margin: { l: 56, r: 8, t: 8, b: 44 },
        hovermode: "closest",
        uirevision: state.axis,
        xaxis: { ...axis.layout, title: { text: axis.name }, zeroline: false },
        yaxis: { title: { text: `best ${data.metric.name}` }, zeroline: false },
      },
      config: { displayModeBar: false, doubleClick: false },
    };
  }

  // --- What happens on it

  function brush(event) {
    if (!event || !event.range) return;
    const ends = (range) => [Math.min(...range), Math.max(...range)];
    trials.set({ box: { axis: latest.state.axis, x: ends(event.range.x), y: ends(event.range.y) } });
  }

  const at = (event) => traces[event.points[0].curveNumber]?.[event.points[0].pointNumber];

  function begin(data, all, state) {
    axes = axesOf(data, all);
    const select = document.getElementById("trial-axis");
    select.append(...Object.keys(axes).map((name) => trials.element("option", { value: name }, name)));
    if (!axes[state.axis]) state.axis = mostSearched(data, all);
    if (state.box && !axes[state.box.axis]) state.box = null;
    select.value = state.axis;
    select.addEventListener("input", () => trials.set({ axis: select.value, box: null }));
  }

  let waiting;
  function update(view) {
    latest = view;
    clearTimeout(waiting);
    waiting = setTimeout(draw, node().classList.contains("drawn") ? 60 : 0);
  }

  function draw() {
    const chart = node();
    const isFirst = !chart.classList.contains("drawn");
    charts.draw(chart, figure(latest));
    if (!isFirst) return;
    chart.on("plotly_selected", brush);
    const letGo = () => latest.state.box && trials.set({ box: null });
    chart.on("plotly_doubleclick", letGo);
    chart.on("plotly_deselect", letGo);
    chart.on("plotly_click", (event) => at(event) && trials.select(at(event)));
    chart.on("plotly_hover", (event) => at(event) && trials.highlight(at(event).place));
    chart.on("plotly_unhover", () => trials.highlight(null));
  }

  // Shows where the trial of a row is.
  function point(trial) {
    const chart = node();
    if (!chart.classList.contains("drawn")) return;
    const place = trial ? (traces[trial.stratum] || []).indexOf(trial) : -1;
    if (place >= 0) Plotly.Fx.hover(chart, [{ curveNumber: trial.stratum, pointNumber: place }]);
    else Plotly.Fx.unhover(chart);
  }

  trials.onChange(update);
  return { begin, isWithin, point };
})();
