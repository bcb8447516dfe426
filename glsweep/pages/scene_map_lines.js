"use strict";
// What the map's lines and places are in numbers and words, made from the JSON that scene_map.py describes.

const mapLines = (() => {
  const HOVER_POINTS = 250; // along the longer side of a scene

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

  return { linesOf, joined, byError, hoverPoints, spans, placeText, lengthText, roundLength };
})();
