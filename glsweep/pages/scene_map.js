"use strict";
// Draws maps of whole scenes with Plotly: phase, probability and lines in map coordinates, with what a map
// needs around them. What the JSON holds is said in scene_map.py.

const sceneMaps = (() => {
  const MARGIN = { l: 62, r: 10, t: 8, b: 44 };
  const LINE_PX = 3;
  const HALO_PX = 2.2;
  const PRINT_PX = 670; // A4 without its margins
  const BAR_SHARE = 0.25;
  const FONT = 'system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif';

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
      scenes.selectedIndex = this.maps.first;
      members.append(...this.maps.members.map((member) => new Option(member.title)));
      members.closest("label").hidden = this.maps.members.length < 2;
      if (members.closest("label").hidden) members.closest("label").style.display = "none";
      const errors = this.maps.errors.colours;
      const rows = [
        ["phase", "phase", null],
        ["probability", "probability", null],
        ...this.maps.layers.map((layer) => [layer.key, layer.label, mapKeys.swatch(layer.colour, layer.halo)]),
        ["error", "error along the line", mapKeys.swatch(errors[2], "#222222", errors)],
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
      keys.append(mapKeys.bar("wrapped phase (rad)", `linear-gradient(to right, ${turn.join(",")})`, ["−π", "0", "π"]));
      if (this.has("probability")) {
        keys.append(mapKeys.bar("probability of a line", `linear-gradient(to right, transparent, ${probable})`, ["0", "0.5", "1"]));
      }
      if (this.has("error")) keys.append(mapKeys.steps("distance to the true line (m)", errors));
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
      theme.onChange(() => this.draw(true));
      window.addEventListener("beforeprint", () => this.draw(true, PRINT_PX));
      window.addEventListener("afterprint", () => this.draw(true));
    }

    // --- The plot

    draw(stay = false, width = this.frame.clientWidth) {
      this.width = width;
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
        const lines = mapLines.linesOf(scene, layer.key, member?.key ?? null);
        const name = member && lines.some((line) => line.member) ? `${layer.label} of ${title}` : layer.label;
        traces.push(stroke(mapLines.joined(lines), layer.halo, LINE_PX + HALO_PX, `halo of ${name}`));
        traces.push(stroke(mapLines.joined(lines), layer.colour, LINE_PX, name));
        if (this.shown.has("error") && lines.some((line) => line.error_m)) {
          mapLines.byError(lines, steps_m).forEach((pieces, number) => {
            traces.push(stroke(pieces, colours[number], LINE_PX, `error class ${number} of ${title}`));
          });
        }
        traces.push({
          ...mapLines.hoverPoints(lines, layer, scene, title),
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
      const [ink, soft, tint] = ["--ink", "--soft", "--tint"].map(theme.colour);
      const [across, up] = mapLines.spans(this.scene);
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
        plot_bgcolor: tint,
        showlegend: false,
        hovermode: "closest",
        hoverdistance: 14,
        dragmode: this.dragmode(view),
        hoverlabel: { bgcolor: "#ffffff", bordercolor: "#555", align: "left", font: { color: "#111", size: 12 } },
        xaxis: { ...axis, range: view.x, constrain: "domain", constraintoward: "left", title: title("x on the map (km)") },
        yaxis: { ...axis, range: view.y, constrain: "domain", scaleanchor: "x", scaleratio: 1, title: title("y on the map (km)") },
      };
    }

    pictures(scene, member) {
      const [left, , , top] = scene.bounds_m;
      const [sizex, sizey] = mapLines.spans(scene);
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
        .map((layer) => [layer.label, mapLines.linesOf(scene, layer.key, member?.key ?? null).length])
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
      const length_m = mapLines.roundLength((BAR_SHARE * xaxis._length) / px_per_m);
      scale.querySelector("span").textContent = mapLines.lengthText(length_m);
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
      Plotly.relayout(this.plot, { "xaxis.range": x, "yaxis.range": y, dragmode: this.dragmode({ x, y }) });
    }

    // On a touch screen a finger scrolls the page, until there is more map than is seen.
    dragmode(view) {
      const span = ([from, to]) => to - from;
      const isWhole = span(view.x) > 0.99 * span(this.whole().x);
      return isWhole && matchMedia("(pointer: coarse)").matches ? false : "pan";
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
        this.say(mapLines.placeText(this.scene, at(this.view.x, u), at(this.view.y, v)).join(" · "));
      }
    }

    say(text) {
      this.find(".map-readout").textContent = text;
    }
  }

  function stroke(points, colour, width, name) {
    return { ...points, name, type: "scatter", mode: "lines", line: { color: colour, width }, hoverinfo: "skip" };
  }

  const drawn = [];
  document.addEventListener("DOMContentLoaded", () => {
    for (const root of document.querySelectorAll(".scene-map")) drawn.push(new SceneMap(root));
  });
  return { drawn };
})();
