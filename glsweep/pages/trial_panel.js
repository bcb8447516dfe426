"use strict";
// One trial: its learning curve before those of its stratum, and all that is known of it.

(() => {
  const { element, duration, metric } = trials;
  let shown;

  function curves(others) {
    const x = [];
    const y = [];
    for (const trial of others) {
      trial.curve.forEach((value, n) => {
        x.push(n + 1);
        y.push(value);
      });
      x.push(null);
      y.push(null);
    }
    return { x, y };
  }

  function figure({ data, all }, chosen) {
    const others = all.filter((trial) => trial !== chosen && trial.stratum === chosen.stratum);
    const line = (extra) => ({ type: "scatter", hoverinfo: "skip", ...extra });
    return {
      data: [
        line({ ...curves(others), mode: "lines", line: { color: "var(--faint)", width: 1 } }),
        line({
          x: chosen.curve.map((_, n) => n + 1),
          y: chosen.curve,
          mode: "lines+markers",
          line: { color: data.strata[chosen.stratum].colour, width: 2.5 },
          marker: { size: chosen.curve.map((_, n) => (n + 1 === chosen.bestEpoch ? 10 : 5)) },
          hoverinfo: "x+y",
        }),
      ],
      layout: {
        showlegend: false,
        hovermode: "closest",
        dragmode: false,
        margin: { l: 56, r: 8, t: 8, b: 44 },
        shapes: data.rungs.map((epoch) => ({
          type: "line",
          yref: "paper",
          x0: epoch,
          x1: epoch,
          y0: 0,
          y1: 1,
          line: { color: "var(--hairline)", width: 1, dash: "dot" },
        })),
        xaxis: { title: { text: "epoch" }, range: [0.5, data.epochs + 0.5], showgrid: false, zeroline: false },
        yaxis: { title: { text: data.metric.name }, zeroline: false },
      },
      config: { displayModeBar: false },
    };
  }

  function facts({ data }, chosen) {
    const best = chosen.best === null ? "no epoch was finished" : `${metric(chosen.best)} at epoch ${chosen.bestEpoch}`;
    const seed = chosen.replicate ? `${chosen.seed}, repeat ${chosen.replicate}` : String(chosen.seed);
    return {
      outcome: chosen.outcome + (chosen.isWinner ? ", winner of its stratum" : ""),
      ...(chosen.reason ? { reason: chosen.reason } : {}),
      [`best ${data.metric.name}`]: best,
      epochs: `${chosen.epochs} of ${data.epochs}, ${duration(chosen.seconds)}`,
      seed,
      ...(chosen.node ? { "trained on": chosen.node } : {}),
      ...Object.fromEntries(Object.entries(chosen.values).map(([name, value]) => [name, String(value ?? "–")])),
    };
  }

  function list(entries) {
    const rows = Object.entries(entries).map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value)),
    );
    return element("dl", { class: "facts" }, ...rows);
  }

  function update(view) {
    const { chosen } = view;
    if (!chosen || chosen === shown) return;
    shown = chosen;
    const id = (name) => document.getElementById(name);
    id("trial-title").textContent = chosen.id;
    id("trial-subtitle").textContent = chosen.title;
    const chart = id("trial-curve");
    chart.dataset.alt = `Learning curve of trial ${chosen.id}, ${chosen.epochs} epochs, before those of its stratum`;
    charts.draw(chart, figure(view, chosen));
    id("trial-facts").replaceChildren(list(facts(view, chosen)));
    id("trial-common").replaceChildren(list(view.data.common));
  }

  trials.onChange(update);
})();
