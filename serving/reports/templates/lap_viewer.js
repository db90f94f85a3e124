// Two laps over distance: choose them, and one cursor moves through all traces and shows its place on the map.
(function () {
  "use strict";
  const data = JSON.parse(document.getElementById("lap-data").textContent);
  const viewer = document.querySelector(".viewer");
  const SVG = "http://www.w3.org/2000/svg";
  const PANELS = [
    { name: "speed", title: "Speed, km/h", height: 168, digits: 0, least: 40 },
    { name: "throttle", title: "Throttle, %", height: 62, digits: 0, least: 100 },
    { name: "brake", title: "Brake, bar", height: 62, digits: 0, least: 20 },
    { name: "delta", title: "Time lost, s", height: 104, digits: 3, least: 0.05 },
  ];
  const WIDTH = 700, LEFT = 40, RIGHT = 12, TOP = 22, TITLE = 18, FOOT = 34;
  const LOST = [213, 94, 0], LEVEL = [217, 221, 225], GAINED = [0, 158, 115];
  const where = data.distance, length = where[where.length - 1], step = where[1];
  const pickers = viewer.querySelectorAll("select"), place = viewer.querySelector(".place");
  let lap, reference, pair, delta, cursor = {}, at = null;

  function draw(parent, tag, attributes, text) {
    const node = document.createElementNS(SVG, tag);
    for (const name in attributes) node.setAttribute(name, attributes[name]);
    if (text !== undefined) node.textContent = text;
    return parent.appendChild(node);
  }

  const along = (metres) => LEFT + (metres / length) * (WIDTH - LEFT - RIGHT);
  const nearest = (metres) => Math.max(0, Math.min(where.length - 1, Math.round(metres / step)));
  const known = (values) => values.filter((value) => value !== null);
  const signed = (value, digits) => (value > 0 ? "+" : value < 0 ? "\u2212" : "") + Math.abs(value).toFixed(digits);

  // A curve is broken where there is no value: no line is drawn across what was not measured.
  function curve(values, x, y) {
    let path = "", pen = "M";
    values.forEach((value, i) => {
      if (value === null) { pen = "M"; return; }
      path += pen + x(i).toFixed(1) + " " + y(value).toFixed(1);
      pen = "L";
    });
    return path;
  }

  function ticks(low, high, count) {
    const rough = (high - low) / count, power = Math.pow(10, Math.floor(Math.log10(rough)));
    const size = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
    const found = [];
    for (let k = Math.ceil(low / size - 1e-9); k * size <= high + 1e-9; k++) found.push(k ? k * size : 0);
    return { found, digits: Math.max(0, -Math.floor(Math.log10(size) + 1e-9)) };
  }

  function range(panel, curves) {
    const values = curves.flatMap(known);
    if (!values.length) return null;
    let low = Math.min(...values), high = Math.max(...values);
    if (panel.name !== "speed") { low = Math.min(low, 0); high = Math.max(high, panel.name === "delta" ? 0 : panel.least); }
    if (high - low < panel.least) high = low + panel.least;
    return [low - 0.05 * (high - low), high + 0.05 * (high - low)];
  }

  function drawTraces() {
    const figure = viewer.querySelector(".traces"), total = PANELS.reduce((sum, one) => sum + one.height + TITLE, TOP);
    figure.querySelector("svg").remove();
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${total + FOOT}`);
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("class", "drawn");
    figure.prepend(svg);
    for (const corner of data.corners) {
      const parts = corner.entry <= corner.exit ? [[corner.entry, corner.exit]] : [[corner.entry, length], [0, corner.exit]];
      for (const [from, to] of parts)
        draw(svg, "rect", { class: "corner", x: along(from), y: TOP, width: along(to) - along(from), height: total - TOP });
    }
    cursor.band = draw(svg, "g", { class: "band" });
    let last = -Infinity, raised = false;
    for (const corner of data.corners) {
      raised = along(corner.apex) - last < 22 && !raised;
      last = along(corner.apex);
      draw(svg, "text", { class: "name", x: last, y: raised ? TOP - 13 : TOP - 3 }, corner.short);
    }
    cursor.values = {};
    let top = TOP;
    for (const panel of PANELS) {
      drawPanel(svg, panel, top + TITLE);
      top += TITLE + panel.height;
    }
    const { found } = ticks(0, length, 6);
    for (const metres of found) draw(svg, "text", { class: "tick middle", x: along(metres), y: total + 14 }, metres.toLocaleString("en"));
    draw(svg, "text", { class: "tick middle", x: along(length / 2), y: total + 29 }, "Distance from the line, m");
    cursor.line = draw(svg, "line", { class: "cursor", x1: 0, x2: 0, y1: TOP, y2: total, visibility: "hidden" });
    follow(svg, (x) => move(nearest(((x * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT)) * length)));
    svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      move(Math.max(0, Math.min(where.length - 1, (at === null ? 0 : at) + by * (event.shiftKey ? 10 : 1))));
    });
  }

  function drawPanel(svg, panel, top) {
    const curves = panel.name === "delta" ? [delta] : [reference[panel.name], lap[panel.name]];
    const bounds = range(panel, curves), foot = top + panel.height - 6, room = panel.height - 6;
    const title = draw(svg, "text", { class: "title", x: LEFT + 2, y: top - 4 });
    draw(title, "tspan", {}, panel.title + " ");
    cursor.values[panel.name] = ["of-lap", "of-reference"].map((name) => draw(title, "tspan", { class: name, dx: 8 }));
    draw(svg, "line", { class: "axis", x1: LEFT, x2: LEFT, y1: top, y2: foot });
    if (!bounds) {
      draw(svg, "text", { class: "tick middle", x: along(length / 2), y: top + room / 2 }, "not measured");
      return;
    }
    const y = (value) => foot - ((value - bounds[0]) / (bounds[1] - bounds[0])) * room, x = (i) => along(where[i]);
    const marks = ticks(...bounds, panel.height / 26);
    for (const value of marks.found) {
      draw(svg, "line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) });
      draw(svg, "text", { class: "tick", x: LEFT - 5, y: y(value) + 3 }, value.toFixed(marks.digits));
    }
    if (panel.name === "delta") {
      for (const [name, side] of [["lost", Math.max], ["gained", Math.min]]) {
        const area = curve(delta.map((value) => side(value, 0)), x, y);
        draw(svg, "path", { class: "area " + name, d: `${area}L${along(length)} ${y(0)}L${LEFT} ${y(0)}Z` });
      }
      draw(svg, "line", { class: "zero", x1: LEFT, x2: WIDTH - RIGHT, y1: y(0), y2: y(0) });
    }
    const names = panel.name === "delta" ? ["of-delta"] : ["of-reference", "of-lap"];
    curves.forEach((values, k) => draw(svg, "path", { class: "curve " + names[k], d: curve(values, x, y) }));
  }

  function drawMap() {
    const figure = viewer.querySelector(".map");
    if (!data.map) return;
    const { x, y, labels, start, way, size } = data.map, loss = lap.loss.map((value, i) => value - reference.loss[i]);
    const sorted = loss.map(Math.abs).sort((a, b) => a - b), most = Math.max(0.02, sorted[Math.floor(0.98 * sorted.length)]);
    figure.querySelector("svg").remove();
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1] + 34}`);
    svg.setAttribute("class", "drawn");
    figure.prepend(svg);
    draw(svg, "path", { class: "road", d: outline(0, x.length - 1) });
    for (let i = 0; i + 1 < x.length; i++) {
      const share = Math.max(-1, Math.min(1, (loss[i] + loss[i + 1]) / 2 / most)), to = share > 0 ? LOST : GAINED;
      const colour = LEVEL.map((from, k) => Math.round(from + (to[k] - from) * Math.abs(share)));
      draw(svg, "line", { class: "loss", x1: x[i], y1: y[i], x2: x[i + 1], y2: y[i + 1], stroke: `rgb(${colour})` });
    }
    cursor.stretch = draw(svg, "path", { class: "stretch", d: "" });
    pair.brakes.forEach((points, k) => points.forEach((metres) => brake(svg, nearest(metres), k)));
    draw(svg, "line", { class: "start", x1: start[0][0], y1: start[0][1], x2: start[1][0], y2: start[1][1] });
    arrow(svg, way);
    for (const label of labels) {
      draw(svg, "text", { class: "number", x: label.x, y: label.y + 4 }, label.text);
      const away = { left: 8, right: -8, centre: 0 }[label.side];
      if (label.name) draw(svg, "text", { class: "name " + label.side, x: label.x + away, y: label.y + 15 }, label.name);
    }
    key(svg, size, most);
    cursor.dot = draw(svg, "circle", { class: "dot", r: 6, cx: 0, cy: 0, visibility: "hidden" });
    follow(svg, (across, down) => {
      const box = svg.viewBox.baseVal, px = across * box.width, py = down * box.height;
      let best = 0;
      for (let i = 1; i < x.length; i++) if (Math.hypot(x[i] - px, y[i] - py) < Math.hypot(x[best] - px, y[best] - py)) best = i;
      move(best);
    });
  }

  function outline(from, to) {
    let path = "";
    for (let i = from; i <= to; i++) path += (i === from ? "M" : "L") + data.map.x[i] + " " + data.map.y[i];
    return path;
  }

  // A bar from the line: the lap's to the left, the reference's to the right of the way round.
  function brake(svg, i, k) {
    const { x, y } = data.map, before = Math.max(0, i - 1), after = Math.min(x.length - 1, i + 1);
    const dx = x[after] - x[before], dy = y[after] - y[before], size = Math.hypot(dx, dy) || 1, out = (k ? -12 : 12) / size;
    draw(svg, "line", { class: "brake " + (k ? "of-reference" : "of-lap"), x1: x[i], y1: y[i], x2: x[i] + dy * out, y2: y[i] - dx * out });
  }

  function arrow(svg, way) {
    const [[x1, y1], [x2, y2]] = way, size = Math.hypot(x2 - x1, y2 - y1), dx = ((x2 - x1) / size) * 6, dy = ((y2 - y1) / size) * 6;
    draw(svg, "path", { class: "way", d: `M${x1} ${y1}L${x2} ${y2}M${x2 - dx - dy / 2} ${y2 - dy + dx / 2}L${x2} ${y2}L${x2 - dx + dy / 2} ${y2 - dy - dx / 2}` });
  }

  function key(svg, size, most) {
    const foot = size[1] + 14, middle = size[0] / 2, half = Math.min(90, size[0] / 4);
    for (let k = 0; k < 30; k++) {
      const share = k / 14.5 - 1, to = share > 0 ? LOST : GAINED;
      const colour = LEVEL.map((from, n) => Math.round(from + (to[n] - from) * Math.abs(share)));
      draw(svg, "rect", { x: middle - half + (k * 2 * half) / 30, y: foot - 10, width: (2 * half) / 30 + 0.5, height: 6, fill: `rgb(${colour})` });
    }
    draw(svg, "text", { class: "tick", x: middle - half - 5, y: foot - 4 }, "\u2212" + most.toFixed(2));
    draw(svg, "text", { class: "tick after", x: middle + half + 5, y: foot - 4 }, "+" + most.toFixed(2));
    draw(svg, "text", { class: "tick middle", x: middle, y: foot + 11 }, "Time lost per 100 m, s");
  }

  function follow(svg, moved) {
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      moved((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    });
    svg.addEventListener("pointerleave", () => move(null));
  }

  function cornerAt(metres) {
    const found = data.corners.find(({ entry, exit }) => (entry <= exit ? metres >= entry && metres <= exit : metres >= entry || metres <= exit));
    return found ? found.label : "";
  }

  // Everything that stands for a place stands for the same one.
  function move(i) {
    at = i;
    const seen = i === null ? "hidden" : "visible";
    cursor.line.setAttribute("visibility", seen);
    if (cursor.dot) cursor.dot.setAttribute("visibility", seen);
    for (const { name, digits } of PANELS) {
      const values = name === "delta" ? [delta, null] : [lap[name], reference[name]];
      values.forEach((of, k) => {
        const value = i === null || !of ? null : of[i];
        cursor.values[name][k].textContent = value === null ? "" : name === "delta" ? signed(value, digits) : value.toFixed(digits);
      });
    }
    if (i === null) { place.textContent = ""; return; }
    for (const name of ["x1", "x2"]) cursor.line.setAttribute(name, along(where[i]));
    if (cursor.dot) { cursor.dot.setAttribute("cx", data.map.x[i]); cursor.dot.setAttribute("cy", data.map.y[i]); }
    const corner = cornerAt(where[i]);
    place.textContent = `${Math.round(where[i]).toLocaleString("en")} m${corner ? ", " + corner : ""}: ${signed(delta[i], 3)} s`;
  }

  function mark(from, to) {
    cursor.band.replaceChildren();
    if (cursor.stretch) cursor.stretch.setAttribute("d", "");
    if (from === null) return;
    const parts = from <= to ? [[from, to]] : [[from, length], [0, to]];
    const total = PANELS.reduce((sum, one) => sum + one.height + TITLE, 0);
    for (const [start, end] of parts) draw(cursor.band, "rect", { x: along(start), y: TOP, width: along(end) - along(start), height: total });
    if (cursor.stretch) cursor.stretch.setAttribute("d", parts.map(([start, end]) => outline(nearest(start), nearest(end))).join(""));
  }

  function show() {
    const [lapId, referenceId] = Array.from(pickers, (picker) => picker.value);
    pair = data.pairs.find((one) => one.lap === lapId && one.reference === referenceId);
    if (!pair) { // a lap against itself: the other reference
      pickers[1].value = data.pairs.find((one) => one.lap === lapId).reference;
      return show();
    }
    [lap, reference] = [data.laps[lapId], data.laps[referenceId]];
    delta = lap.delta.map((value, i) => Math.round((value - reference.delta[i]) * 1000) / 1000);
    viewer.querySelectorAll(".pair").forEach((one, k) => { one.hidden = data.pairs[k] !== pair; });
    viewer.querySelector(".of-lap b").textContent = lap.name;
    viewer.querySelector(".of-reference b").textContent = reference.name;
    drawTraces();
    drawMap();
    move(null);
  }

  viewer.querySelector(".picker").hidden = false;
  pickers.forEach((picker) => picker.addEventListener("change", show));
  viewer.querySelectorAll("tr[data-from]").forEach((row) => {
    row.addEventListener("pointerenter", () => mark(Number(row.dataset.from), Number(row.dataset.to)));
    row.addEventListener("pointerleave", () => mark(null, null));
  });
  show();
})();
