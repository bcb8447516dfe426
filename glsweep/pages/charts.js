"use strict";
// Draws the page's charts with Plotly, in the page's colours, each when it comes into view.
//
// A chart is a `.chart` element followed by its Plotly figure, a script of JSON. A colour that the figure
// writes as `var(--name)` is that of the page, in light and dark; the dark ones of the figures' palette are
// lighter on dark paper.

const charts = (() => {
  const CONFIG = {
    displaylogo: false,
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg" },
  };
  const NARROW_PX = 560;
  const A4_PX = 670;
  const FONT = 'system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif';
  const ON_DARK = { "#0072b2": "#4aa3dd", "#009e73": "#2fb892", "#d55e00": "#ee7d30", "#b23a66": "#d8638c" };
  const drawn = new Map();

  function template() {
    const ink = theme.colour("--ink");
    const soft = theme.colour("--soft");
    const hairline = theme.colour("--hairline");
    const paper = theme.colour("--paper");
    const axis = {
      gridcolor: hairline,
      zerolinecolor: hairline,
      linecolor: soft,
      tickcolor: soft,
      tickfont: { color: soft, size: 11.5 },
      title: { font: { color: ink, size: 12.5 } },
      automargin: true,
      exponentformat: "power",
      minexponent: 5,
    };
    const legend = { bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 12 } };
    return {
      layout: {
        font: { family: FONT, color: ink, size: 12 },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        margin: { l: 56, r: 16, t: 40, b: 48 },
        xaxis: axis,
        yaxis: axis,
        legend,
        colorway: coloured(["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"]),
        hoverlabel: { bgcolor: paper, bordercolor: soft, font: { family: FONT, color: ink, size: 12 } },
        modebar: { bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: theme.colour("--accent") },
        annotationdefaults: { font: { color: ink } },
        selectdirection: "any",
      },
    };
  }

  // The figure with the page's colours in place of `var(--name)`.
  function coloured(value, colours = {}) {
    if (typeof value === "string" && value.startsWith("var(--")) {
      return (colours[value] ??= theme.colour(value.slice(4, -1)));
    }
    if (typeof value === "string") return (theme.isDark() && ON_DARK[value.toLowerCase()]) || value;
    if (Array.isArray(value)) {
      return typeof value[0] === "number" ? value : value.map((one) => coloured(one, colours));
    }
    if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, coloured(one, colours)]));
  }

  // A figure may say in `layout.meta.narrow` how it is laid out on a narrow screen.
  function plan(figure, width) {
    const { meta, ...wide } = figure.layout || {};
    return width < NARROW_PX && meta?.narrow ? meta.narrow : wide;
  }

  function draw(node, figure, width = node.clientWidth) {
    const planned = plan(figure, width);
    if (planned.height) node.style.height = `${planned.height}px`;
    const layout = {
      ...coloured(planned),
      template: template(),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      width,
      height: node.clientHeight,
    };
    delete layout.autosize;
    if (width < NARROW_PX && !figure.layout?.meta?.narrow) {
      const below = { orientation: "h", x: 0, xanchor: "left", y: -0.25, yanchor: "top" };
      layout.legend = layout.legend?.orientation ? layout.legend : { ...layout.legend, ...below };
      layout.margin = { ...layout.margin, l: 44, r: 8 };
    }
    // On a touch screen a finger scrolls the page.
    if (matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
    const config = { ...CONFIG, ...figure.config };
    drawn.set(node, figure);
    node.classList.add("drawn");
    Plotly.react(node, coloured(figure.data), layout, config);
    describe(node);
  }

  // The drawing is the image that the words are for; the buttons beside it are not part of it.
  function describe(node) {
    node.dataset.alt ??= node.getAttribute("aria-label");
    node.removeAttribute("role");
    node.removeAttribute("aria-label");
    node.querySelectorAll(".main-svg").forEach((svg, place) => {
      if (place) svg.setAttribute("aria-hidden", "true");
      else svg.setAttribute("role", "img");
      if (!place) svg.setAttribute("aria-label", node.dataset.alt);
    });
  }

  function redraw(width) {
    for (const [node, figure] of drawn) draw(node, figure, width);
  }

  function drawAll() {
    for (const node of document.querySelectorAll(".chart[data-figure]:not(.drawn)")) drawFirst(node);
  }

  function drawFirst(node) {
    const figure = JSON.parse(node.nextElementSibling.textContent);
    draw(node, figure);
  }

  function watch() {
    const nodes = document.querySelectorAll(".chart[data-figure]");
    if (!("IntersectionObserver" in window)) {
      drawAll();
      return;
    }
    const observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries.filter((one) => one.isIntersecting)) {
          observer.unobserve(entry.target);
          if (!entry.target.classList.contains("drawn")) drawFirst(entry.target);
        }
      },
      { rootMargin: "600px" },
    );
    for (const node of nodes) observer.observe(node);
  }

  let resized;
  window.addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(() => redraw(), 150);
  });
  window.addEventListener("beforeprint", () => {
    theme.beginPrint();
    drawAll();
    redraw(A4_PX);
  });
  window.addEventListener("afterprint", () => {
    theme.endPrint();
    redraw();
  });
  theme.onChange(() => redraw());
  document.addEventListener("DOMContentLoaded", watch);

  return { draw, drawAll };
})();
