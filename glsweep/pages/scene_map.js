"use strict";
// Draws maps of whole scenes with Plotly: phase, probability and lines in map coordinates, with what a map
// needs around them. What the JSON holds is said in scene_map.py.

const sceneMaps = (() => {
  const MARGIN = { l: 62, r: 10, t: 8, b: 44 };
  const LINE_PX = 3;
  const HALO_PX = 2.2;
  const HOVER_POINTS = 250; // along the longer side of a scene
  const BAR_SHARE = 0.25;
  const NORTH_PX = 48;
  const FONT = 'system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif';

  // --- What the JSON says, made ready to draw

  function running(steps, from_m) {
    let at = from_m;
    return steps.map((step) => (at += step) / 1000);
  }

  // A line's vertices in kilometres of the map; they are written as steps from the scene's corner.
  function decoded(line, bounds_m) {
    return { ...line, x: running(line.x_m, bounds_m[0]), y: running(line.y_m, bounds_m[1]) };
  }

  function linesOf(scene, layer, member) {
    scene.drawable ??= scene.lines.map((line) => decoded(line, scene.bounds_m));
    return scene.drawable.filter((one) => one.layer === layer && (one.member === null || one.member === member));
  }

  function joined(lines) {
    const x = [];
    const y = [];
    for (const line of lines) {
      x.push(...line.x, null);
      y.push(...line.y, null);
    }
    return { x, y };
  }

  function classOf(error_m, steps_m) {
    const found = steps_m.findIndex((step) => error_m < step);
    return found < 0 ? steps_m.length : found;
  }

  // The pieces of lines by how far they are off, a class after another; pieces that nobody judged are in none.
  function byError(lines, steps_m) {
    const classes = [...steps_m, Infinity].map(() => ({ x: [], y: [] }));
    for (const { x, y, error_m } of lines.filter((line) => line.error_m)) {
      let before = -1;
      for (let i = 1; i < x.length; i++) {
        const judged = error_m[i - 1] !== null && error_m[i] !== null;
        const own = judged ? classOf((error_m[i - 1] + error_m[i]) / 2, steps_m) : -1;
        if (own >= 0) {
          const to = classes[own];
          if (own !== before) {
            to.x.push(null, x[i - 1]);
            to.y.push(null, y[i - 1]);
          }
          to.x.push(x[i]);
          to.y.push(y[i]);
        }
        before = own;
      }
    }
    return classes;
  }

  // Points so near to each other that the pointer always finds one, with what is known there.
  function hoverPoints(lines, layer, scene, memberTitle) {
    const step = Math.max(...spans(scene)) / HOVER_POINTS;
    const points = { x: [], y: [], text: [] };
    for (const line of lines) {
      for (let i = 1; i < line.x.length; i++) {
        const length = Math.hypot(line.x[i] - line.x[i - 1], line.y[i] - line.y[i - 1]);
        const parts = Math.max(1, Math.ceil(length / step));
        for (let part = i === 1 ? 0 : 1; part <= parts; part++) {
          const share = part / parts;
          const between = (values) => values[i - 1] + share * (values[i] - values[i - 1]);
          const judged = line.error_m && line.error_m[i - 1] !== null && line.error_m[i] !== null;
          const x = between(line.x);
          const y = between(line.y);
          points.x.push(x);
          points.y.push(y);
          points.text.push(
            [
              `<b>${layer.label}</b>${line.member ? ` of ${escaped(memberTitle)}` : ""}`,
              judged ? `${Math.round(between(line.error_m))} m from the true line` : "",
              !judged && line.error_m ? "not judged here" : "",
              escaped(line.text).replaceAll("; ", "<br>"),
              placeText(scene, x, y).join("<br>"),
            ]
              .filter(Boolean)
              .join("<br>"),
          );
        }
      }
    }
    return points;
  }

  function escaped(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  }

  function spans(scene) {
    const [left, bottom, right, top] = scene.bounds_m;
    return [(right - left) / 1000, (top - bottom) / 1000];
  }

  // --- Places in words

  function fixed(value, digits) {
    return value.toFixed(digits).replace("-", "\u2212");
  }

  function placeText(scene, x, y) {
    const words = [`x ${fixed(x, 1)} km, y ${fixed(y, 1)} km`];
    const degrees = lonLat(scene, x, y);
    if (degrees) {
      const [longitude, latitude] = degrees;
      words.push(
        `${Math.abs(latitude).toFixed(3)}° ${latitude < 0 ? "S" : "N"}, ` +
          `${Math.abs(longitude).toFixed(3)}° ${longitude < 0 ? "W" : "E"}`,
      );
    }
    return words;
  }

  // Longitude and latitude, from the vertical at the four nodes around a place.
  function lonLat(scene, x, y) {
    const nodes = scene.directions;
    if (!nodes) return null;
    const [left, bottom, right, top] = scene.bounds_m;
    const [col, u] = node(((x * 1000 - left) / (right - left)) * (nodes[0].length - 1), nodes[0].length);
    const [row, v] = node(((y * 1000 - bottom) / (top - bottom)) * (nodes.length - 1), nodes.length);
    const at = [0, 1, 2].map(
      (i) =>
        (1 - v) * ((1 - u) * nodes[row][col][i] + u * nodes[row][col + 1][i]) +
        v * ((1 - u) * nodes[row + 1][col][i] + u * nodes[row + 1][col + 1][i]),
    );
    const length = Math.hypot(...at);
    return [(Math.atan2(at[1], at[0]) * 180) / Math.PI, (Math.asin(at[2] / length) * 180) / Math.PI];
  }

  function node(place, count) {
    const below = Math.min(Math.max(Math.floor(place), 0), count - 2);
    return [below, place - below];
  }

  function lengthText(length_m) {
    return length_m >= 1000 ? `${length_m / 1000} km` : `${length_m} m`;
  }

  function roundLength(most_m) {
    const decade = 10 ** Math.floor(Math.log10(most_m));
    return Math.max(...[1, 2, 5].map((step) => step * decade).filter((length) => length <= most_m));
  }

  // --- One map on the page

  class SceneMap {
    constructor(root) {
      this.root = root;
      this.maps = JSON.parse(document.getElementById(`${root.id}-data`).textContent);
      this.find = (selector) => root.querySelector(selector);
      this.plot = this.find(".map-plot");
      this.frame = this.find(".map-frame");
      this.hint = this.find(".map-readout").textContent;
      this.shown = new Set(["phase", "error", ...this.maps.layers.filter((l) => l.shown).map((l) => l.key)]);
      this.offerChoices();
      this.drawKeys();
      this.listen();
      this.draw();
    }

    get scene() {
      return this.maps.scenes[this.find(".map-scene").selectedIndex];
    }

    get member() {
      return this.maps.members[this.find(".map-member").selectedIndex] ?? null;
    }

    has(what) {
      const { scenes } = this.maps;
      if (what === "phase") return true;
      if (what === "probability") return scenes.some((scene) => Object.keys(scene.probability).length > 0);
      if (what === "error") return scenes.some((scene) => scene.lines.some((line) => line.error_m));
      return scenes.some((scene) => scene.lines.some((line) => line.layer === what));
    }

    offerChoices() {
      const scenes = this.find(".map-scene");
      const members = this.find(".map-member");
      scenes.append(...this.maps.scenes.map((scene) => new Option(scene.name)));
      members.append(...this.maps.members.map((member) => new Option(member.title)));
      members.closest("label").hidden = this.maps.members.length < 2;
      if (members.closest("label").hidden) members.closest("label").style.display = "none";
      const errors = this.maps.errors.colours;
      const rows = [
        ["phase", "phase", null],
        ["probability", "probability", null],
        ...this.maps.layers.map((layer) => [layer.key, layer.label, swatch(layer.colour, layer.halo)]),
        ["error", "error along the line", swatch(errors[2], "#222222", errors)],
      ];
      for (const [key, label, picture] of rows.filter(([name]) => this.has(name))) {
        const box = Object.assign(document.createElement("input"), {
          type: "checkbox",
          value: key,
          checked: this.shown.has(key),
        });
        const item = document.createElement("label");
        item.append(box);
        if (picture) item.append(picture);
        item.append(label);
        this.find(".map-layers").append(item);
      }
    }

    drawKeys() {
      const keys = this.find(".map-keys");
      const { phase_colours: turn, probability_colour: probable, errors } = this.maps;
      keys.append(bar("wrapped phase (rad)", `linear-gradient(to right, ${turn.join(",")})`, ["−π", "0", "π"]));
      if (this.has("probability")) {
        keys.append(bar("probability of a line", `linear-gradient(to right, transparent, ${probable})`, ["0", "0.5", "1"]));
      }
      if (this.has("error")) keys.append(steps("distance to the true line (m)", errors));
    }

    listen() {
      for (const select of this.root.querySelectorAll("select")) {
        select.addEventListener("change", () => this.draw(select.classList.contains("map-member")));
      }
      this.find(".map-layers").addEventListener("change", ({ target }) => {
        if (target.checked) this.shown.add(target.value);
        else this.shown.delete(target.value);
        this.draw(true);
      });
      for (const button of this.root.querySelectorAll("[data-zoom]")) {
        button.addEventListener("click", () => this.zoom(button.dataset.zoom));
      }
      this.frame.addEventListener("keydown", (event) => this.onKey(event));
      this.frame.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
      this.frame.addEventListener("pointermove", (event) => this.readOut(event));
      this.frame.addEventListener("pointerleave", () => this.say(this.hint));
      new ResizeObserver(() => this.drawIfResized()).observe(this.frame);
      const redraw = () => this.draw(true);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
      new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    }

    // --- The plot

    draw(stay = false) {
      this.width = this.frame.clientWidth;
      const { scene, member } = this;
      const view = stay && this.view ? this.view : this.whole();
      Plotly.react(this.plot, this.traces(scene, member), { ...this.layout(view), images: this.pictures(scene, member) }, {
        displayModeBar: false,
        doubleClick: false,
        scrollZoom: false,
      }).then(() => {
        if (!this.drawn) {
          this.plot.on("plotly_relayout", () => this.afterMove());
          this.plot.on("plotly_doubleclick", () => this.zoom("whole"));
          this.drawn = true;
        }
        this.afterMove();
      });
      this.say(this.hint);
      this.tell(scene, member);
      this.drawLocator(scene);
    }

    drawIfResized() {
      if (this.frame.clientWidth && this.frame.clientWidth !== this.width) this.draw(true);
    }

    whole() {
      const [left, bottom, right, top] = this.scene.bounds_m.map((value) => value / 1000);
      return { x: [left, right], y: [bottom, top] };
    }

    traces(scene, member) {
      const traces = [];
      const title = member?.title ?? "";
      const { steps_m, colours } = this.maps.errors;
      for (const layer of this.maps.layers.filter((one) => this.shown.has(one.key))) {
        const lines = linesOf(scene, layer.key, member?.key ?? null);
        const name = member && lines.some((line) => line.member) ? `${layer.label} of ${title}` : layer.label;
        traces.push(stroke(joined(lines), layer.halo, LINE_PX + HALO_PX, `halo of ${name}`));
        traces.push(stroke(joined(lines), layer.colour, LINE_PX, name));
        if (this.shown.has("error") && lines.some((line) => line.error_m)) {
          byError(lines, steps_m).forEach((pieces, number) => {
            traces.push(stroke(pieces, colours[number], LINE_PX, `error class ${number} of ${title}`));
          });
        }
        traces.push({
          ...hoverPoints(lines, layer, scene, title),
          name: `hover ${name}`,
          type: "scatter",
          mode: "markers",
          marker: { size: 9, opacity: 0 },
          hovertemplate: "%{text}<extra></extra>",
          showlegend: false,
        });
      }
      return traces;
    }

    layout(view) {
      const colour = (name) => getComputedStyle(this.root).getPropertyValue(name).trim();
      const [ink, soft, tint] = [colour("--ink"), colour("--soft"), colour("--tint")];
      const [across, up] = spans(this.scene);
      const inner = this.width - MARGIN.l - MARGIN.r;
      const height = Math.min((inner * up) / across, Math.max(420, window.innerHeight * 0.82));
      const axis = {
        ticks: "outside",
        tickcolor: soft,
        tickfont: { color: soft, size: 11.5 },
        showgrid: false,
        zeroline: false,
        showline: true,
        mirror: true,
        linecolor: soft,
        tickformat: "~r",
        exponentformat: "none",
        separatethousands: false,
        nticks: this.width < 500 ? 5 : 9,
      };
      const title = (text) => ({ text, font: { color: ink, size: 12 }, standoff: 6 });
      return {
        width: this.width,
        height: Math.round(height) + MARGIN.t + MARGIN.b,
        margin: MARGIN,
        font: { family: FONT, color: ink, size: 12 },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: tint || "#f4f6f7",
        showlegend: false,
        hovermode: "closest",
        hoverdistance: 14,
        dragmode: matchMedia("(pointer: coarse)").matches ? false : "pan",
        hoverlabel: { bgcolor: "#ffffff", bordercolor: "#555", align: "left", font: { color: "#111", size: 12 } },
        xaxis: { ...axis, range: view.x, constrain: "domain", constraintoward: "left", title: title("x on the map (km)") },
        yaxis: { ...axis, range: view.y, constrain: "domain", scaleanchor: "x", scaleratio: 1, title: title("y on the map (km)") },
      };
    }

    pictures(scene, member) {
      const [left, , , top] = scene.bounds_m;
      const [sizex, sizey] = spans(scene);
      const place = { xref: "x", yref: "y", x: left / 1000, y: top / 1000, sizex, sizey, sizing: "stretch", layer: "below" };
      const probability = scene.probability[member?.key];
      return [
        ...(this.shown.has("phase") ? [{ ...place, source: scene.phase, name: "phase" }] : []),
        ...(this.shown.has("probability") && probability
          ? // Plotly takes pictures of the same size at the same place for one.
            [{ ...place, sizex: sizex * (1 + 1e-9), source: probability, name: "probability" }]
          : []),
      ];
    }

    // --- Around the plot

    tell(scene, member) {
      const about = this.find(".map-about");
      const rest = [scene.remark, scene.place, scene.dates, scene.crs].filter(Boolean).join(" · ");
      const name = document.createElement("b");
      name.textContent = scene.name;
      about.replaceChildren(name, ` · ${rest}`);
      const facts = member ? scene.facts[member.key] : Object.values(scene.facts)[0];
      this.find(".map-facts").textContent = facts ? `${member ? `${member.title}: ` : ""}${facts}` : "";
      const counted = this.maps.layers
        .map((layer) => [layer.label, linesOf(scene, layer.key, member?.key ?? null).length])
        .filter(([, count]) => count)
        .map(([label, count]) => `${label}: ${count}`);
      this.frame.setAttribute("aria-label", `Map of ${scene.name}. ${counted.join(", ")}. ${this.hint}`);
      const north = this.find(".map-north");
      if (scene.north_deg === null) north.setAttribute("hidden", "");
      else north.removeAttribute("hidden");
      north.querySelector("g").setAttribute("transform", `rotate(${scene.north_deg ?? 0})`);
      const turn = ((scene.north_deg ?? 0) * Math.PI) / 180;
      const letter = north.querySelector("text");
      letter.setAttribute("x", 14 * Math.sin(turn));
      letter.setAttribute("y", -14 * Math.cos(turn));
      north.setAttribute("aria-label", `north lies ${Math.round(scene.north_deg ?? 0)}° clockwise from up`);
    }

    drawLocator(scene) {
      const svg = this.find(".map-locator");
      svg.style.display = scene.locator ? "" : "none";
      if (!scene.locator) return;
      const { path, bounds_km: bounds } = this.maps.lands[scene.locator.land];
      const [x, y] = scene.locator.at_km;
      const width = bounds[2] - bounds[0];
      svg.setAttribute("viewBox", `${bounds[0]} ${bounds[1]} ${width} ${bounds[3] - bounds[1]}`);
      svg.setAttribute("aria-label", `where the scene lies: ${scene.place}`);
      svg.innerHTML = `<path class="land" d="${path}"/><circle class="here" cx="${x}" cy="${-y}" r="${width / 28}"/>`;
    }

    afterMove() {
      const { xaxis, yaxis } = this.plot._fullLayout;
      this.view = { x: [...xaxis.range], y: [...yaxis.range] };
      const edge = 8;
      const place = (element, left, top) => Object.assign(element.style, { left: `${left}px`, top: `${top}px` });
      place(this.find(".map-north"), xaxis._offset + edge, yaxis._offset + edge);
      place(this.find(".map-zoom"), xaxis._offset + xaxis._length - this.find(".map-zoom").offsetWidth - edge, yaxis._offset + edge);
      const scale = this.find(".map-scale");
      const px_per_m = xaxis._length / ((xaxis.range[1] - xaxis.range[0]) * 1000 * this.scene.ground_per_map);
      const length_m = roundLength((BAR_SHARE * xaxis._length) / px_per_m);
      scale.querySelector("span").textContent = lengthText(length_m);
      scale.querySelector("i").style.width = `${length_m * px_per_m}px`;
      place(scale, xaxis._offset + edge, yaxis._offset + yaxis._length - scale.offsetHeight - edge);
    }

    zoom(how, at = [0.5, 0.5]) {
      if (how === "whole") this.move(this.whole());
      else this.scaleBy(how === "in" ? 0.6 : 1 / 0.6, at);
    }

    scaleBy(factor, [u, v]) {
      const scaled = ([from, to], share) => {
        const fixedAt = from + share * (to - from);
        return [fixedAt + factor * (from - fixedAt), fixedAt + factor * (to - fixedAt)];
      };
      this.move({ x: scaled(this.view.x, u), y: scaled(this.view.y, v) });
    }

    move({ x, y }) {
      Plotly.relayout(this.plot, { "xaxis.range": x, "yaxis.range": y });
    }

    onKey(event) {
      if (event.target !== this.frame || event.ctrlKey || event.metaKey || event.altKey) return;
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      const zooms = { "+": "in", "=": "in", "-": "out", 0: "whole" };
      if (event.key in zooms) this.zoom(zooms[event.key]);
      else if (event.key in steps) {
        const [across, up] = steps[event.key];
        const moved = ([from, to], by) => [from + 0.2 * by * (to - from), to + 0.2 * by * (to - from)];
        this.move({ x: moved(this.view.x, across), y: moved(this.view.y, up) });
      } else return;
      event.preventDefault();
    }

    onWheel(event) {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const [u, v] = this.shareAt(event);
      this.scaleBy(event.deltaY < 0 ? 0.8 : 1.25, [u, v]);
    }

    shareAt(event) {
      const { xaxis, yaxis } = this.plot._fullLayout;
      const box = this.plot.getBoundingClientRect();
      const u = (event.clientX - box.left - xaxis._offset) / xaxis._length;
      const v = 1 - (event.clientY - box.top - yaxis._offset) / yaxis._length;
      return [u, v];
    }

    readOut(event) {
      if (!this.view) return;
      const [u, v] = this.shareAt(event);
      if (u < 0 || u > 1 || v < 0 || v > 1) this.say(this.hint);
      else {
        const at = ([from, to], share) => from + share * (to - from);
        this.say(placeText(this.scene, at(this.view.x, u), at(this.view.y, v)).join(" · "));
      }
    }

    say(text) {
      this.find(".map-readout").textContent = text;
    }
  }

  // --- Small pictures

  function stroke(points, colour, width, name) {
    return { ...points, name, type: "scatter", mode: "lines", line: { color: colour, width }, hoverinfo: "skip" };
  }

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

  const drawn = [];
  document.addEventListener("DOMContentLoaded", () => {
    for (const root of document.querySelectorAll(".scene-map")) drawn.push(new SceneMap(root));
  });
  return { drawn };
})();
