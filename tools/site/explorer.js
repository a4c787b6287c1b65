// The page that explores the bundled materials: a table, a map of the embeddings, and one material in detail.
// It reads window.WFCLIP_DATA, written by tools/build_explorer.py, and fills the elements of explore.md.
// Energies are in eV, lengths in Å. 3Dmol.js draws the layer where it and WebGL are at hand.
(() => {
"use strict";

// ---------------------------------------------------------------------------------------------- materials

/** The 16-bit integers of `packed` in build_explorer.py, as numbers. */
function unpack({ step, int16 }) {
  const bytes = Uint8Array.from(atob(int16), c => c.charCodeAt(0)), view = new DataView(bytes.buffer);
  return Float64Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true) * step);
}

/** Where each material begins in a flat list, from their lengths. */
function starts(lengths) {
  let sum = 0;
  return lengths.map(n => (sum += n) - n);
}

/** Atoms of material i, in-plane cell vectors and height of its cell. */
function structureOf(s, first, i) {
  const atoms = Array.from({ length: s.counts[i] }, (_, k) => {
    const at = first[i] + k, number = s.numbers[at];
    const [x, y, z] = s.positions.slice(3 * at, 3 * at + 3);
    return { symbol: s.symbols[number - 1], number, x, y, z };
  });
  const [ax, ay, bx, by] = s.cells.slice(4 * i, 4 * i + 4);
  return { atoms, a: [ax, ay], b: [bx, by], height: s.heights[i], thickness: s.thickness[i] };
}

/** phi(z) of material i with the windows from which its plateaus were read. */
function profileOf(p, phi, first, i) {
  const [z0, spacing] = p.grids.slice(2 * i, 2 * i + 2), [b0, b1, t0, t1] = p.windows.slice(4 * i, 4 * i + 4);
  const values = Array.from(phi.subarray(first[i], first[i] + p.lengths[i]));
  return { z: values.map((_, k) => z0 + k * spacing), phi: values, bottom: [b0, b1], top: [t0, t1] };
}

/** Both faces, mean, step and band edges against vacuum. */
function energiesOf(columns, i) {
  const top = columns.phi_top[i], bottom = columns.phi_bottom[i];
  return { top, bottom, mean: (top + bottom) / 2, step: top - bottom,
           ionization: columns.ionization_energy[i], affinity: columns.electron_affinity[i] };
}

function neighborsOf({ k, neighbors, similarity }, i) {
  return Array.from({ length: k }, (_, n) => ({ row: neighbors[k * i + n], similarity: similarity[k * i + n] }));
}

/** All materials as objects, in the order of the dataset. */
function readMaterials(d) {
  const meanings = Object.fromEntries(d.legend.names.map((name, k) => [name, d.legend.meanings[k]]));
  const atomStart = starts(d.structures.counts), phiStart = starts(d.profiles.lengths), phi = unpack(d.profiles.phi);
  return d.ids.map((id, row) => {
    const energies = energiesOf(d.computed, row), structure = structureOf(d.structures, atomStart, row);
    return {
      row, id, formula: d.formulas[row], prototype: d.prototypes[d.prototype[row]], meaning: meanings[d.prototypes[d.prototype[row]]],
      ...energies, polarity: Math.abs(energies.step), gap: d.computed.gap[row],
      vbm: d.computed.vbm[row], cbm: d.computed.cbm[row], fmax: d.computed.fmax[row],
      predicted: energiesOf(d.predicted, row), structure,
      elements: [...new Set(structure.atoms.map(a => a.symbol))].sort(),
      point: d.embedding.points.slice(2 * row, 2 * row + 2), neighbors: neighborsOf(d.embedding, row),
      get profile() { return profileOf(d.profiles, phi, phiStart, row); },
    };
  });
}

// ---------------------------------------------------------------------------------------------- text

const escapeHtml = text => String(text).replace(/[&<>"]/g, c => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
const formulaHtml = formula => escapeHtml(formula).replace(/\d+/g, "<sub>$&</sub>");
const fixed = (x, digits = 2) => (x == null ? "–" : (Math.abs(x) < 0.5 / 10 ** digits ? 0 : x).toFixed(digits).replace("-", "−"));
const signed = x => (x >= 0.005 ? "+" : "") + fixed(x);
const count = n => n.toLocaleString("en");
const find = (root, selector) => root.querySelector(selector);

function download(name, text, type) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const csvCell = value => (/[",\n]/.test(value) ? `"${String(value).replace(/"/g, '""')}"` : String(value ?? ""));
const csvText = rows => rows.map(row => row.map(csvCell).join(",")).join("\n") + "\n";
const plain = x => (x == null ? "" : String(+x.toFixed(4)));

const CSV = {
  id: m => m.id, formula: m => m.formula, elements: m => m.elements.join(" "), prototype: m => m.prototype,
  n_atoms: m => m.structure.atoms.length, thickness_angstrom: m => plain(m.structure.thickness),
  phi_top_eV: m => plain(m.top), phi_bottom_eV: m => plain(m.bottom), work_function_eV: m => plain(m.mean),
  step_eV: m => plain(m.step), gap_eV: m => plain(m.gap), vbm_from_fermi_eV: m => plain(m.vbm),
  cbm_from_fermi_eV: m => plain(m.cbm), ionization_energy_eV: m => plain(m.ionization),
  electron_affinity_eV: m => plain(m.affinity), predicted_phi_top_eV: m => plain(m.predicted.top),
  predicted_phi_bottom_eV: m => plain(m.predicted.bottom),
};

function materialsCsv(materials) {
  return csvText([Object.keys(CSV), ...materials.map(m => Object.values(CSV).map(value => value(m)))]);
}

function profileCsv({ profile }) {
  return csvText([["z_angstrom", "phi_eV"], ...profile.z.map((z, k) => [z.toFixed(4), profile.phi[k].toFixed(3)])]);
}

/** A file that ASE, OVITO and wfclip read. */
function extendedXyz({ id, structure: s }) {
  const lattice = [...s.a, 0, ...s.b, 0, 0, 0, s.height].join(" ");
  const atoms = s.atoms.map(a => [a.symbol, a.x, a.y, a.z].join(" "));
  return [s.atoms.length, `Lattice="${lattice}" Properties=species:S:1:pos:R:3 pbc="T T F" id=${id}`, ...atoms, ""].join("\n");
}

// ---------------------------------------------------------------------------------------------- filters

const RANGES = {
  face: (m, inside) => inside(m.top) || inside(m.bottom),
  mean: (m, inside) => inside(m.mean),
  polarity: (m, inside) => inside(m.polarity),
  gap: (m, inside) => inside(m.gap),
};

const symbolsIn = text => (text.match(/[A-Z][a-z]?|[a-z]+/g) || []).map(s => s[0].toUpperCase() + s.slice(1));

/** A formula as its elements and their numbers in alphabetical order, "" for other text: SeMoS is MoSSe. */
function composition(text) {
  if (!/^([A-Z][a-z]?\d*)+$/.test(text)) return "";
  const amounts = {};
  for (const [, symbol, n] of text.matchAll(/([A-Z][a-z]?)(\d*)/g)) amounts[symbol] = (amounts[symbol] || 0) + (+n || 1);
  return Object.keys(amounts).sort().map(s => s + (amounts[s] > 1 ? amounts[s] : "")).join("");
}

/** Whether a material fits each word of the search, as a part of its names or as a formula in any order. */
function textTest(text) {
  const words = text.normalize("NFKC").split(/\s+/).filter(Boolean);
  const tests = words.map(word => ({ word: word.toLowerCase(), formula: composition(word) }));
  return m => tests.every(({ word, formula }) =>
    `${m.formula} ${m.prototype} ${m.id}`.toLowerCase().includes(word) || (formula && composition(m.formula) === formula));
}

function rangeTests(form) {
  return Object.entries(RANGES).flatMap(([name, test]) => {
    const [low, high] = ["min", "max"].map(end => form.elements[`${name}-${end}`].value.trim());
    if (low === "" && high === "") return [];
    const inside = x => (low === "" || x >= +low - 1e-9) && (high === "" || x <= +high + 1e-9);
    return [m => test(m, inside)];
  });
}

function tests(form) {
  const value = name => form.elements[name].value;
  const [wanted, unwanted] = [symbolsIn(value("with")), symbolsIn(value("without"))];
  return [
    textTest(value("text")), ...rangeTests(form),
    m => wanted.every(s => m.elements.includes(s)), m => !unwanted.some(s => m.elements.includes(s)),
    m => !value("prototype") || m.prototype === value("prototype"),
  ];
}

function addRangeInputs(form) {
  for (const set of form.querySelectorAll("[data-range]")) {
    const title = set.querySelector("legend").textContent;
    const input = (end, word) => `<input type="number" step="any" inputmode="decimal" name="${set.dataset.range}-${end}" placeholder="${word}" aria-label="${title}, ${word}">`;
    set.insertAdjacentHTML("beforeend", `${input("min", "from")}<span>–</span>${input("max", "to")}`);
  }
}

function addOptions(select, values, titles) {
  for (const [value, n] of values) select.add(new Option(`${titles(value)} (${count(n)})`, value));
}

/** How many materials have each value, as pairs sorted by value. */
function tally(values) {
  const counts = new Map();
  for (const v of values) counts.set(v, (counts.get(v) || 0) + 1);
  return [...counts].sort(([a], [b]) => a.localeCompare(b, "en"));
}

/** Buttons for all elements that occur, in their places of the periodic table; the other elements as text. */
function addElements(box, structures, used) {
  for (let z = 1; z <= 86; z++) {
    const symbol = structures.symbols[z - 1], row = structures.rows[z - 1], f = structures.blocks[z - 1] === "f";
    if (f && !used.has(symbol)) continue;
    const cell = document.createElement(used.has(symbol) ? "button" : "span");
    Object.assign(cell.style, f ? { gridRow: 8, gridColumn: z - 54 } : { gridRow: row, gridColumn: structures.groups[z - 1] });
    cell.textContent = symbol;
    if (used.has(symbol)) Object.assign(cell, { type: "button", value: symbol });
    box.append(cell);
  }
}

/** Show on the element buttons what the two fields say. */
function markElements(form, used) {
  const wants = { with: symbolsIn(form.elements.with.value), without: symbolsIn(form.elements.without.value) };
  for (const [name, symbols] of Object.entries(wants))
    form.elements[name].setAttribute("aria-invalid", symbols.some(s => !used.has(s)));
  for (const button of form.querySelectorAll(".wx-elements button")) {
    const want = Object.keys(wants).find(k => wants[k].includes(button.value)) || "";
    button.dataset.want = want;
    button.setAttribute("aria-label", `${button.value}: ${{ with: "must contain", without: "must not contain", "": "either" }[want]}`);
  }
  return [...wants.with, ...wants.without].filter(s => !used.has(s));
}

/** The next of must contain, must not contain, either. */
function cycleElement(form, { value, dataset: { want } }) {
  const next = { "": "with", with: "without", without: "" }[want];
  for (const name of ["with", "without"]) {
    const others = symbolsIn(form.elements[name].value).filter(s => s !== value);
    form.elements[name].value = (name === next ? [...others, value] : others).join(", ");
  }
}

// ---------------------------------------------------------------------------------------------- table

const COLUMNS = [
  { key: "formula", title: "Formula", text: m => `<a href="#${m.id}" data-row="${m.row}">${formulaHtml(m.formula)}</a>` },
  { key: "elements", title: "Elements", kind: "wx-rare", value: m => m.elements.join(", ") },
  { key: "prototype", title: "Prototype", kind: "wx-some" },
  { key: "top", title: "φ<sub>top</sub>", unit: "eV" },
  { key: "bottom", title: "φ<sub>bottom</sub>", unit: "eV" },
  { key: "mean", title: "Mean φ", unit: "eV", kind: "wx-some" },
  { key: "step", title: "Δφ", unit: "eV", shown: signed },
  { key: "gap", title: "Gap", unit: "eV" },
];
for (const c of COLUMNS) {
  c.value ??= m => m[c.key];
  c.text ??= c.unit ? m => (c.shown || fixed)(c.value(m)) : m => escapeHtml(c.value(m));
  c.kind = [c.kind, c.unit && "wx-number"].filter(Boolean).join(" ");
}

/** Order by what a column shows, to 0.01 eV, and among equals by formula. */
function compare(column, direction) {
  const collator = new Intl.Collator("en", { numeric: true }), text = collator.compare, shown = x => Math.round(100 * x);
  return (m, n) => {
    const [a, b] = [column.value(m), column.value(n)];
    return direction * (column.unit ? shown(a) - shown(b) : text(a, b)) || text(m.formula, n.formula) || m.row - n.row;
  };
}

/** A table of which only the rows in sight exist; `choose` is called with a material. */
function makeTable(section, choose) {
  const scroll = find(section, ".wx-scroll"), table = find(section, "table"), body = find(table, "tbody");
  const head = find(table, "thead tr");
  let rows = [], chosen = null, sort = { column: COLUMNS[0], direction: 1 }, height = 31;

  function drawHead() {
    head.innerHTML = COLUMNS.map((c, k) => {
      const on = c === sort.column, order = on ? (sort.direction > 0 ? "ascending" : "descending") : "none";
      const arrow = on ? (sort.direction > 0 ? "▴" : "▾") : "";
      return `<th scope="col" class="${c.kind}" aria-sort="${order}"><button type="button" data-column="${k}">` +
        `${c.title}<i aria-hidden="true">${arrow}</i>${c.unit ? `<small>${c.unit}</small>` : ""}</button></th>`;
    }).join("");
  }

  const rowHtml = (m, k) => `<tr aria-rowindex="${k + 2}" data-row="${m.row}"${m === chosen ? ' data-chosen aria-current="true"' : ""}>` +
    COLUMNS.map(c => `<td class="${c.kind}">${c.text(m)}</td>`).join("") + "</tr>";
  const gapHtml = n => `<tr class="wx-gap" aria-hidden="true"><td colspan="${COLUMNS.length}" style="height:${n * height}px"></td></tr>`;

  function draw() {
    const first = Math.max(0, Math.floor(scroll.scrollTop / height) - 8);
    const last = Math.min(rows.length, first + Math.ceil(scroll.clientHeight / height) + 16);
    const focused = body.contains(document.activeElement) ? document.activeElement.dataset.row : null;
    body.innerHTML = gapHtml(first) + rows.slice(first, last).map((m, k) => rowHtml(m, first + k)).join("") + gapHtml(rows.length - last);
    if (focused !== null) (find(body, `a[data-row="${focused}"]`) || scroll).focus({ preventScroll: true });
  }

  function measure() {
    const row = find(body, "tr[data-row]");
    if (row && Math.abs(row.getBoundingClientRect().height - height) > 0.1) { height = row.getBoundingClientRect().height; draw(); }
  }

  /** Bring the chosen row into sight, without moving the page. */
  function reveal() {
    const k = rows.indexOf(chosen), room = scroll.clientHeight - head.offsetHeight;
    if (k < 0) return;
    const below = (k + 1) * height - room - scroll.scrollTop, above = scroll.scrollTop - k * height;
    if (Math.max(above, below) > 3 * height) scroll.scrollTop = (k + 0.5) * height - room / 2;
    else if (above > 0) scroll.scrollTop -= above;
    else if (below > 0) scroll.scrollTop += below;
  }

  function resort() {
    rows.sort(compare(sort.column, sort.direction));
    drawHead();
    draw();
  }

  head.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (!button) return;
    const column = COLUMNS[button.dataset.column];
    sort = { column, direction: column === sort.column ? -sort.direction : 1 };
    scroll.scrollTop = 0;
    resort();
    find(head, `[data-column="${button.dataset.column}"]`).focus();
  });
  body.addEventListener("click", event => {
    const row = event.target.closest("tr[data-row]");
    if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose(+row.dataset.row);
  });
  scroll.addEventListener("keydown", event => {
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
    if (!move || !rows.length || event.target.closest("thead")) return;
    event.preventDefault();
    const next = Math.min(rows.length - 1, Math.max(0, rows.indexOf(chosen) + move));
    choose(rows[next].row, { stay: true });
  });
  let waiting = false;
  scroll.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }, { passive: true });
  new ResizeObserver(() => { draw(); measure(); }).observe(scroll);

  return {
    show(materials) {
      rows = [...materials];
      table.setAttribute("aria-rowcount", rows.length + 1);
      scroll.scrollTop = 0;
      resort();
      measure();
    },
    choose(m) { chosen = m; reveal(); draw(); },
    rows: () => rows,
  };
}

// ---------------------------------------------------------------------------------------------- map

const VIRIDIS = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"];
const COLOURS = {
  mean: ["work function, mean of both faces, eV", m => m.mean],
  polarity: ["|Δφ|, eV", m => m.polarity],
  gap: ["band gap, eV", m => m.gap],
  thickness: ["thickness, Å", m => m.structure.thickness],
};

const channels = hex => [1, 3, 5].map(k => parseInt(hex.slice(k, k + 2), 16));

const isDark = () => document.body.dataset.mdColorScheme === "slate";

/** Colour of t in 0 to 1; on a dark page without the darkest, which could not be seen. */
function viridis(t) {
  const darkest = isDark() ? 0.15 : 0, within = darkest + (1 - darkest) * Math.min(1, Math.max(0, t));
  const x = within * (VIRIDIS.length - 1), k = Math.min(VIRIDIS.length - 2, Math.floor(x));
  const [a, b] = [channels(VIRIDIS[k]), channels(VIRIDIS[k + 1])];
  return `rgb(${a.map((v, c) => Math.round(v + (x - k) * (b[c] - v))).join(",")})`;
}

/** Round numbers between two ends, about n of them. */
function niceTicks(low, high, n) {
  const raw = (high - low) / n, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find(k => k * power >= raw), first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.max(0, Math.floor(high / step + 1e-9) - first + 1) }, (_, k) => +((first + k) * step).toFixed(9));
}

/** The range of all but the outermost hundredth at either end. */
function spanOf(values) {
  const sorted = [...values].sort((a, b) => a - b), at = q => sorted[Math.round(q * (sorted.length - 1))];
  return [at(0.01), at(0.99)];
}

function drawScale(box, [low, high], title, values) {
  find(box, ".wx-gradient").style.background = `linear-gradient(to right, ${VIRIDIS.map((_, k) => viridis(k / (VIRIDIS.length - 1))).join(",")})`;
  find(box, ".wx-ticks").innerHTML = niceTicks(low, high, 7).map(x =>
    `<span style="left:${100 * (x - low) / (high - low)}%">${fixed(x, Number.isInteger(x) ? 0 : 1)}</span>`).join("");
  const beyond = values.some(x => x < low || x > high) ? "; the outermost hundredth has the colours of the ends" : "";
  find(box, ".wx-quantity").textContent = title + beyond;
}

/** The map of the embeddings on a canvas; `choose` is called with a row. */
function makeMap(section, materials, axes, choose) {
  const canvas = find(section, "canvas"), frame = find(section, ".wx-canvas"), tip = find(section, ".wx-tip");
  const select = find(section, "select"), context = canvas.getContext("2d"), pad = 24;
  const ends = [0, 1].map(c => [Math.min(...materials.map(m => m.point[c])), Math.max(...materials.map(m => m.point[c]))]);
  const unit = materials.map(m => m.point.map((x, c) => (x - ends[c][0]) / (ends[c][1] - ends[c][0])));
  let kept = new Set(materials), chosen = null, hovered = null, colours = [], view = { zoom: 1, x: 0.5, y: 0.5 };

  const size = () => [frame.clientWidth, frame.clientHeight];
  /** Place of a material on the canvas, pixels. */
  function place(m) {
    const [w, h] = size(), [x, y] = unit[m.row];
    return [w / 2 + (x - view.x) * view.zoom * (w - 2 * pad), h / 2 - (y - view.y) * view.zoom * (h - 2 * pad)];
  }

  function dot(m, radius) {
    const [x, y] = place(m);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
  }

  function drawPoints(radius, ink) {
    for (const m of materials) if (!kept.has(m)) { context.globalAlpha = 0.13; context.fillStyle = ink; dot(m, radius * 0.7); context.fill(); }
    context.globalAlpha = 1;
    context.lineWidth = 0.6;
    for (const m of materials) if (kept.has(m)) {
      dot(m, radius);
      context.fillStyle = colours[m.row];
      context.fill();
      context.globalAlpha = 0.4;
      context.strokeStyle = ink;
      context.stroke();
      context.globalAlpha = 1;
    }
  }

  function drawChosen(radius, ink, paper) {
    context.lineWidth = 1;
    for (const { row } of chosen.neighbors) {
      context.strokeStyle = ink;
      context.beginPath();
      context.moveTo(...place(chosen));
      context.lineTo(...place(materials[row]));
      context.globalAlpha = 0.5;
      context.stroke();
      context.globalAlpha = 1;
      dot(materials[row], radius + 2);
      context.stroke();
    }
    for (const [width, colour] of [[6, paper], [2.5, ink]]) {
      dot(chosen, radius + 4);
      Object.assign(context, { lineWidth: width, strokeStyle: colour });
      context.stroke();
    }
    dot(chosen, radius + 1);
    context.fillStyle = colours[chosen.row];
    context.fill();
  }

  function drawAxes(w, h, soft, font) {
    Object.assign(context, { fillStyle: soft, font, textAlign: "center", textBaseline: "bottom" });
    context.fillText(axes[0], w / 2, h - 4);
    context.save();
    context.translate(5, h / 2);
    context.rotate(-Math.PI / 2);
    context.textBaseline = "top";
    context.fillText(axes[1], 0, 0);
    context.restore();
  }

  function draw() {
    const [w, h] = size(), ratio = window.devicePixelRatio || 1, style = getComputedStyle(section);
    const [ink, soft, paper] = ["--ink", "--soft", "--paper"].map(name => style.getPropertyValue(name).trim());
    if (!w) return;
    Object.assign(canvas, { width: w * ratio, height: h * ratio });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const radius = Math.min(6, (w < 400 ? 2.3 : 2.8) * Math.sqrt(view.zoom));
    drawPoints(radius, ink);
    if (chosen) drawChosen(radius, ink, paper);
    drawAxes(w, h, soft, `12px ${style.fontFamily}`);
  }

  function recolour() {
    const [title, value] = COLOURS[select.value], values = materials.map(value), [low, high] = spanOf(values);
    colours = values.map(x => viridis((x - low) / (high - low)));
    drawScale(find(section, ".wx-scale"), [low, high], title, values);
    draw();
  }

  /** The kept material nearest to a place, if it is within reach. */
  function nearest(x, y, reach) {
    let best = null, least = reach;
    for (const m of kept) {
      const [u, v] = place(m), distance = Math.hypot(u - x, v - y);
      if (distance < least) [best, least] = [m, distance];
    }
    return best;
  }

  function hover(m) {
    hovered = m;
    tip.hidden = !m;
    if (!m) return;
    tip.innerHTML = `${formulaHtml(m.formula)} · ${escapeHtml(m.prototype)} · ${fixed(m.mean)} eV`;
    const [x, y] = place(m), [w] = size(), left = Math.max(4, Math.min(w - tip.offsetWidth - 4, x - tip.offsetWidth / 2));
    Object.assign(tip.style, { left: `${left}px`, top: `${y > 44 ? y - tip.offsetHeight - 10 : y + 12}px` });
  }

  function zoom(factor) {
    const centre = chosen && factor > 1 && view.zoom === 1 ? unit[chosen.row] : [view.x, view.y];
    const next = factor ? Math.min(40, Math.max(1, view.zoom * factor)) : 1;
    view = next === 1 ? { zoom: 1, x: 0.5, y: 0.5 } : { zoom: next, x: centre[0], y: centre[1] };
    canvas.style.touchAction = next > 1 ? "none" : "pan-y";
    hover(null);
    draw();
  }

  function pan(dx, dy) {
    const [w, h] = size(), within = x => Math.min(1, Math.max(0, x));
    view.x = within(view.x - dx / (view.zoom * (w - 2 * pad)));
    view.y = within(view.y + dy / (view.zoom * (h - 2 * pad)));
    draw();
  }

  /** The nearest kept material in a direction, a right angle wide. */
  function neighborAt([dx, dy]) {
    if (!chosen) return kept.values().next().value;
    const [x, y] = place(chosen);
    let best = null, least = Infinity;
    for (const m of kept) {
      const [u, v] = place(m), along = (u - x) * dx + (v - y) * dy, across = Math.abs((u - x) * dy) + Math.abs((v - y) * dx);
      if (m !== chosen && along > 0 && across <= along && along + across < least) [best, least] = [m, along + across];
    }
    return best;
  }

  let press = null;
  const at = event => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", event => {
    press = { at: at(event), moved: false };
    if (view.zoom > 1) canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => {
    const [x, y] = at(event);
    if (press && Math.hypot(x - press.at[0], y - press.at[1]) > 4) press.moved = true;
    if (press?.moved && view.zoom > 1) { pan(x - press.at[0], y - press.at[1]); press.at = [x, y]; hover(null); return; }
    const m = nearest(x, y, 12);
    if (m !== hovered) hover(m);
  });
  canvas.addEventListener("pointerup", event => {
    const m = press && !press.moved && nearest(...at(event), event.pointerType === "touch" ? 22 : 12);
    press = null;
    if (m) choose(m.row, { stay: event.pointerType !== "touch" });
  });
  for (const name of ["pointerleave", "pointercancel"]) canvas.addEventListener(name, () => { press = null; hover(null); });
  canvas.addEventListener("wheel", event => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8);
  }, { passive: false });
  canvas.addEventListener("keydown", event => {
    const direction = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.6 : 0.625);
    if (!direction) return;
    event.preventDefault();
    const m = neighborAt(direction);
    if (m) { choose(m.row, { stay: true }); hover(m); }
  });
  canvas.addEventListener("blur", () => hover(null));
  find(section, ".wx-zoom").addEventListener("click", event => event.target.dataset.zoom && zoom(+event.target.dataset.zoom));
  for (const [key, [title]] of Object.entries(COLOURS)) select.add(new Option(title.replace(/, (eV|Å)$/, ""), key));
  select.addEventListener("change", recolour);
  new ResizeObserver(draw).observe(frame);
  canvas.style.touchAction = "pan-y";
  recolour();

  return {
    show(materials) { kept = new Set(materials); draw(); },
    choose(m) {
      chosen = m;
      const [w, h] = size(), [x, y] = place(m);
      if (x < 0 || y < 0 || x > w || y > h) [view.x, view.y] = unit[m.row];
      draw();
    },
    recolour,
  };
}

// ---------------------------------------------------------------------------------------------- profile

const subscript = (name, low, rest = "") => `${name}<tspan dy="3" font-size="80%">${low}</tspan><tspan dy="-3">${rest}</tspan>`;

/** Move heights apart where they are closer than `distance`, keeping their order. */
function spread(heights, distance) {
  const order = heights.map((_, k) => k).sort((a, b) => heights[a] - heights[b]), moved = [...heights];
  for (let pass = 0; pass < 50; pass++)
    for (let k = 1; k < order.length; k++) {
      const lack = distance - (moved[order[k]] - moved[order[k - 1]]);
      if (lack > 0) { moved[order[k]] += lack / 2; moved[order[k - 1]] -= lack / 2; }
    }
  return moved;
}

/** The elements, that of the highest atom first, with the heights of their atoms. */
function heightsByElement({ atoms }) {
  const heights = new Map();
  for (const { symbol, z } of [...atoms].sort((a, b) => b.z - a.z)) heights.set(symbol, [...(heights.get(symbol) || []), z]);
  return [...heights];
}

/** Scales of the plot: pixels of a height z and of an energy, and the limits of both. */
function profileScales({ profile, structure, bottom, top, vbm }, width, near) {
  const margin = { left: 46, right: 74, top: 12, bottom: 40 }, height = 310, elements = heightsByElement(structure);
  const strip = 16 * elements.length + 6, z = [profile.z[0], profile.z.at(-1)];
  const highest = Math.max(top, bottom, ...profile.phi), lowest = near ? Math.min(-1.2, (vbm ?? 0) - 0.6) : Math.min(...profile.phi);
  const inner = height - margin.top - margin.bottom - strip, room = 26 * (highest - lowest) / inner;
  const energy = [lowest - 0.03 * (highest - lowest), highest + room];
  const x = v => margin.left + (v - z[0]) / (z[1] - z[0]) * (width - margin.left - margin.right);
  const y = v => margin.top + (energy[1] - v) / (energy[1] - energy[0]) * inner;
  return { margin, width, height, strip, inner, elements, z, energy, x, y, base: margin.top + inner };
}

function axesSvg({ margin, width, height, strip, z, energy, x, y, base }) {
  const right = width - margin.right, floor = base + strip, n = width < 420 ? 4 : 7;
  const xTicks = niceTicks(...z, n).map(v => `<path class="tick" d="M${x(v)},${floor}v5"/><text x="${x(v)}" y="${floor + 17}" text-anchor="middle">${fixed(v, 0)}</text>`);
  const yTicks = niceTicks(...energy, 6).map(v => `<path class="tick" d="M${margin.left},${y(v)}h-5"/><text x="${margin.left - 8}" y="${y(v) + 4}" text-anchor="end">${fixed(v, Number.isInteger(v) ? 0 : 1)}</text>`);
  return `<path class="frame" d="M${margin.left},${margin.top}V${floor}H${right}"/>${xTicks.join("")}${yTicks.join("")}` +
    `<text x="${(margin.left + right) / 2}" y="${height - 5}" text-anchor="middle">height z, Å</text>` +
    `<text transform="translate(12,${(margin.top + base) / 2}) rotate(-90)" text-anchor="middle">φ = V̄ − ${subscript("E", "F", ", eV")}</text>`;
}

function atomsSvg({ elements, x, base, margin }, colour) {
  return elements.map(([symbol, heights], k) => {
    const y = base + 10 + 16 * k;
    const lines = heights.map(z => `<path class="height" d="M${x(z)},${margin.top}V${y}"/>`), dots = heights.map(z =>
      `<circle class="wx-atom" cx="${x(z)}" cy="${y}" r="5" fill="${colour(symbol)}"><title>${symbol} at z = ${fixed(z)} Å</title></circle>`);
    return lines.join("") + dots.join("") + `<text class="soft halo" x="${x(heights[0]) + 9}" y="${y + 4}">${symbol}</text>`;
  }).join("");
}

/** Fermi level and band edges, named at the right. */
function levelsSvg({ vbm, cbm }, { margin, width, x, z, y }) {
  const levels = [["E", "F", 0, "fermi"], ["CBM", "", cbm, "level"], ["VBM", "", vbm, "level"]].filter(([, , v]) => v != null);
  const right = width - margin.right, labels = spread(levels.map(([, , v]) => y(v)), 14);
  return levels.map(([name, low, v, kind], k) =>
    `<path class="${kind}" d="M${x(z[0])},${y(v)}H${right}"/><path class="leader" d="M${right},${y(v)}l4,${labels[k] - y(v)}h3"/>` +
    `<text x="${right + 9}" y="${labels[k] + 4}">${low ? subscript(name, low, " = 0") : `${name} ${fixed(v)}`}</text>`).join("");
}

function plateausSvg(m, { x, y, z }) {
  return [["bottom", z[0], 4, "start"], ["top", z[1], -4, "end"]].map(([face, end, shift, anchor]) => {
    const [from, to] = m.profile[face], level = y(m[face]), middle = x((from + to) / 2);
    return `<path class="arrow" marker-start="url(#wx-tip)" marker-end="url(#wx-tip)" d="M${middle},${level + 2}V${y(0) - 1}"/>` +
      `<path class="plateau" d="M${x(from)},${level}H${x(to)}"/>` +
      `<text class="facetext halo" x="${x(end) + shift}" y="${level - 9}" text-anchor="${anchor}">${subscript("φ", face, ` ${fixed(m[face])} eV`)}</text>`;
  }).join("");
}

function profileSvg(m, width, near, colour) {
  const s = profileScales(m, width, near), { x, y, z } = s;
  const points = m.profile.phi.map((v, k) => `${x(m.profile.z[k]).toFixed(1)},${y(v).toFixed(1)}`).join(" ");
  const text = `Profile of ${m.formula}: work function ${fixed(m.bottom)} eV at the bottom face, ${fixed(m.top)} eV at the top face`;
  return `<svg viewBox="0 0 ${width} ${s.height}" height="${s.height}" role="img" aria-label="${text}">` +
    `<defs><marker id="wx-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">` +
    `<path d="M1,1 7,4 1,7" fill="none" stroke="var(--face)" stroke-width="1.3"/></marker>` +
    `<clipPath id="wx-clip"><rect x="${x(z[0])}" y="${s.margin.top}" width="${x(z[1]) - x(z[0])}" height="${s.inner}"/></clipPath></defs>` +
    atomsSvg(s, colour) + levelsSvg(m, s) + `<polyline class="curve" clip-path="url(#wx-clip)" points="${points}"/>` +
    plateausSvg(m, s) + axesSvg(s) + `<g class="read"></g></svg>`;
}

/** Read the curve under the pointer. */
function readProfile(box, m, near) {
  const svg = find(box, "svg"), group = find(svg, ".read");
  svg.addEventListener("pointermove", event => {
    const s = profileScales(m, svg.viewBox.baseVal.width, near), { z, phi } = m.profile;
    const at = (event.clientX - svg.getBoundingClientRect().left - s.x(z[0])) / (s.x(z.at(-1)) - s.x(z[0]));
    const k = Math.round(at * (z.length - 1));
    if (k < 0 || k >= z.length) { group.innerHTML = ""; return; }
    const x = s.x(z[k]), left = at > 0.5;
    group.innerHTML = `<path class="cross" d="M${x},${s.margin.top}V${s.base}"/>` +
      (phi[k] >= s.energy[0] ? `<circle cx="${x}" cy="${s.y(phi[k])}" r="3.5" fill="var(--curve)"/>` : "") +
      `<text class="halo" x="${x + (left ? -7 : 7)}" y="${s.base - 8}" text-anchor="${left ? "end" : "start"}">z ${fixed(z[k])} Å, φ ${fixed(phi[k])} eV</text>`;
  });
  svg.addEventListener("pointerleave", () => { group.innerHTML = ""; });
}

// ---------------------------------------------------------------------------------------------- layer in three dimensions

const NO_3D = "The layer cannot be drawn in three dimensions here, because this browser offers no WebGL; the file of the structure can be downloaded instead.";

function hasWebGL() {
  const canvas = document.createElement("canvas");
  return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
}

const CELL = "#3b82c4";
const hex = number => `#${number.toString(16).padStart(6, "0")}`;
const atomColour = symbol => hex(window.$3Dmol?.elementColors?.Jmol?.[symbol] ?? 0xa0a0a0);

/** In-plane repeats that fill about 12 Å. */
function repeatsOf({ a, b }) {
  return [a, b].map(v => Math.min(6, Math.max(2, Math.round(12 / Math.hypot(...v)))));
}

function repeatedAtoms(s, [na, nb] = repeatsOf(s)) {
  const atoms = [];
  for (let i = 0; i < na; i++) for (let j = 0; j < nb; j++) s.atoms.forEach((atom, base) => atoms.push({
    ...atom, base, x: atom.x + i * s.a[0] + j * s.b[0], y: atom.y + i * s.a[1] + j * s.b[1] }));
  return atoms;
}

const distance = (p, q) => Math.hypot(p.x - q.x, p.y - q.y, p.z - q.z);

/** Distance of each atom of the cell to its nearest neighbour, hydrogen aside, periodic images included. */
function shortestDistances(s) {
  const shifts = [-2, -1, 0, 1, 2].flatMap(i => [-2, -1, 0, 1, 2].map(j => [i * s.a[0] + j * s.b[0], i * s.a[1] + j * s.b[1]]));
  return s.atoms.map(p => Math.min(...s.atoms.filter(q => q.number > 1 || p.number === 1).flatMap(q =>
    shifts.map(([dx, dy]) => distance(p, { x: q.x + dx, y: q.y + dy, z: q.z })).filter(d => d > 1e-3))));
}

/** Pairs of atoms that are joined: closer than 1.3 times the sum of their covalent radii, and hardly farther than nearest neighbours. */
function bondsOf(atoms, s, radii) {
  const nearest = shortestDistances(s), bonds = [];
  atoms.forEach((p, i) => {
    for (let j = i + 1; j < atoms.length; j++) {
      const q = atoms[j], d = distance(p, q);
      if (d < 1.3 * (radii[p.number] + radii[q.number]) && d < 1.2 * Math.max(nearest[p.base], nearest[q.base])) bonds.push([i, j]);
    }
  });
  return bonds;
}

/** A patch of a layer, 12.6 Å wide, from the side and a little from above; what is near is drawn last. */
function sideSvg(s, radii) {
  const repeats = [s.a, s.b].map(v => 2 * Math.floor(14 / Math.hypot(...v)) + 3), tilt = 0.22;
  const many = repeatedAtoms(s, repeats), mean = key => many.reduce((sum, atom) => sum + atom[key], 0) / many.length;
  const [x0, y0, z0] = ["x", "y", "z"].map(mean);
  const atoms = many.map(p => ({ ...p, x: p.x - x0, y: p.y - y0, z: p.z - z0 })).filter(p => Math.abs(p.x) < 6.3 && Math.abs(p.y) < 4.2);
  const at = p => [p.x, -p.z * Math.cos(tilt) - p.y * Math.sin(tilt)].map(v => v.toFixed(2));
  const bonds = bondsOf(atoms, s, radii).map(([i, j]) => [(atoms[i].y + atoms[j].y) / 2 + 0.01, `<path d="M${at(atoms[i])}L${at(atoms[j])}"/>`]);
  const dots = atoms.map(p => [p.y, `<circle cx="${at(p)[0]}" cy="${at(p)[1]}" r="${(0.42 * Math.sqrt(radii[p.number])).toFixed(2)}" fill="${atomColour(p.symbol)}"/>`]);
  const drawn = [...bonds, ...dots].sort(([p], [q]) => q - p).map(([, text]) => text);
  return `<svg viewBox="-7 -6.4 14 12.8" aria-hidden="true">${drawn.join("")}</svg>`;
}

function addAtoms(viewer, s, radii) {
  const atoms = repeatedAtoms(s);
  const drawn = atoms.map(({ symbol, x, y, z }, index) => ({ elem: symbol, x, y, z, index, serial: index, bonds: [], bondOrder: [] }));
  for (const [i, j] of bondsOf(atoms, s, radii)) for (const [p, q] of [[i, j], [j, i]]) { drawn[p].bonds.push(q); drawn[p].bondOrder.push(1); }
  const model = viewer.addModel();
  model.addAtoms(drawn);
  model.setStyle({}, { sphere: { scale: 0.27, colorscheme: "Jmol" }, stick: { radius: 0.13, colorscheme: "Jmol" } });
}

/** The edges of one cell in the middle of the repeats, as high as the layer. */
function addCell(viewer, s) {
  const [na, nb] = repeatsOf(s).map(n => Math.floor((n - 1) / 2)), half = s.thickness / 2, anchor = s.atoms[0];
  const corner = (i, j, z) => ({ x: anchor.x + (na + i) * s.a[0] + (nb + j) * s.b[0], y: anchor.y + (na + i) * s.a[1] + (nb + j) * s.b[1], z });
  const around = [[0, 0], [1, 0], [1, 1], [0, 1]], heights = half < 0.4 ? [0] : [-half, half], radius = half < 0.4 ? 0.17 : 0.09;
  const line = (start, end) => viewer.addCylinder({ start, end, radius, color: CELL, fromCap: 1, toCap: 1 });
  around.forEach(([i, j], k) => {
    const [u, v] = around[(k + 1) % 4];
    for (const z of heights) line(corner(i, j, z), corner(u, v, z));
    if (heights.length > 1) line(corner(i, j, -half), corner(i, j, half));
  });
}

/** Turn the layer: "side" looks at it from a little above its plane, "top" along its normal; a thin one can be larger. */
function turn(viewer, from, thickness) {
  viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]);
  if (from === "side") { viewer.rotate(9, "z"); viewer.rotate(-72, "x"); }
  viewer.zoomTo();
  viewer.zoom(from === "side" ? Math.max(0.9, 1.4 - 0.05 * thickness) : 1.05);
  viewer.render();
}

function makeViewer(box) {
  if (!window.$3Dmol || !hasWebGL()) return null;
  try {
    const viewer = window.$3Dmol.createViewer(box, { backgroundAlpha: 0, antialias: true, orthographic: true });
    viewer?.setBackgroundColor("white", 0);
    return viewer ?? null;
  } catch { return null; }
}

/** One viewer for all materials, in a box that is moved into each new detail. */
function makeLayerView(radii) {
  const box = document.createElement("div");
  box.className = "wx-layer";
  box.setAttribute("role", "img");
  box.addEventListener("wheel", event => { if (!event.ctrlKey && !event.metaKey) event.stopImmediatePropagation(); }, { capture: true });
  let viewer, view = "side", thickness = 0;

  function off() {
    box.dataset.off = "";
    box.removeAttribute("role");
    box.textContent = NO_3D;
  }

  return {
    box,
    show(m) {
      if (viewer === undefined && (viewer = makeViewer(box)) === null) off();
      if (!viewer) return;
      box.setAttribute("aria-label", `Layer of ${m.formula} in three dimensions, ${repeatsOf(m.structure).join(" by ")} cells`);
      thickness = m.structure.thickness;
      viewer.removeAllModels();
      viewer.removeAllShapes();
      addAtoms(viewer, m.structure, radii);
      addCell(viewer, m.structure);
      viewer.resize();
      turn(viewer, view, thickness);
    },
    turn(from) { view = from; if (viewer) turn(viewer, from, thickness); },
    zoom(factor) { viewer?.zoom(factor); viewer?.render(); },
    works: () => Boolean(viewer),
  };
}

// ---------------------------------------------------------------------------------------------- detail

const ENERGIES = [
  ["φ<sub>top</sub>, work function of the top face", "top"], ["φ<sub>bottom</sub>, of the bottom face", "bottom"],
  ["Work function, their mean", "mean"], ["Δφ = φ<sub>top</sub> − φ<sub>bottom</sub>", "step"],
  ["Ionisation energy, vacuum − VBM", "ionization"], ["Electron affinity, vacuum − CBM", "affinity"],
];

function energiesHtml(m, functional) {
  const rows = ENERGIES.map(([title, key]) => {
    const shown = key === "step" ? signed : fixed;
    return `<tr><th scope="row">${title}</th><td>${shown(m[key])}</td><td>${shown(m.predicted[key])}</td></tr>`;
  });
  return `<table class="wx-facts"><thead><tr><th scope="col">Energy, eV</th><th scope="col">computed<br>(${escapeHtml(functional)})</th>` +
    `<th scope="col">predicted<br>from structure</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function edgesHtml(m) {
  if (m.vbm == null) return "Metal: no band gap; ionisation energy and electron affinity are the work function.";
  return `Band gap ${fixed(m.gap)} eV; from the Fermi level the valence band ends at ${fixed(m.vbm)} eV (VBM) and the conduction band begins at ${fixed(m.cbm)} eV (CBM).`;
}

function cellHtml({ structure: { atoms, a, b, thickness }, fmax }) {
  const [la, lb] = [a, b].map(v => Math.hypot(...v)), angle = Math.acos((a[0] * b[0] + a[1] * b[1]) / (la * lb)) * 180 / Math.PI;
  return `${atoms.length} ${atoms.length > 1 ? "atoms" : "atom"} in the cell, a = ${fixed(la)} Å, b = ${fixed(lb)} Å, γ = ${fixed(angle, 0)}°; ${fixed(thickness)} Å thick; largest force ${fixed(fmax)} eV/Å.`;
}

function neighborHtml(m, similarity) {
  return `<li><a href="#${m.id}" data-row="${m.row}"><b>${formulaHtml(m.formula)}</b><span>similarity ${fixed(similarity)}</span>` +
    `<small>${escapeHtml(m.prototype)}</small><small>${fixed(m.mean)} eV</small></a></li>`;
}

function legendHtml({ elements }) {
  const atoms = elements.map(symbol => `<span><i style="background:${atomColour(symbol)}"></i>${symbol}</span>`);
  return `${atoms.join("")}<span class="wx-views"><i class="wx-cell" style="background:${CELL}"></i>one unit cell</span>`;
}

function detailHtml(m, materials, functional) {
  return `<h2 tabindex="-1">${formulaHtml(m.formula)}</h2>
<p class="wx-note">prototype ${escapeHtml(m.prototype)}: ${escapeHtml(m.meaning)} · <a href="#${m.id}">${m.id}</a> <button type="button" class="wx-back">Back to the table</button></p>
${energiesHtml(m, functional)}
<p class="wx-note">Predicted by the member of the ensemble that was trained without this composition.</p>
<p>${edgesHtml(m)} ${cellHtml(m)}</p>
<div class="wx-head"><h3>Profile</h3><span role="group" aria-label="Range of the energies"><button type="button" data-near="" aria-pressed="false">Whole</button><button type="button" data-near="1" aria-pressed="false">Near the vacuum levels</button></span></div>
<div class="wx-profile"></div>
<div class="wx-head"><h3>Layer</h3><span class="wx-views" role="group" aria-label="View of the layer"><button type="button" data-view="side">Side</button><button type="button" data-view="top">Top</button><button type="button" data-scale="1.25" aria-label="Larger">+</button><button type="button" data-scale="0.8" aria-label="Smaller">−</button></span></div>
<div class="wx-place"></div>
<p class="wx-legend">${legendHtml(m)}</p>
<p><button type="button" data-file="structure">Structure (.xyz)</button> <button type="button" data-file="profile">Profile (.csv)</button></p>
<h3>Nearest in the embedding</h3>
<p class="wx-note">Cosine similarity of the crystal embeddings; the work function is the computed mean of both faces.</p>
<ul class="wx-near">${m.neighbors.map(({ row, similarity }) => neighborHtml(materials[row], similarity)).join("")}</ul>`;
}

/** The selected material; `choose` is called with the row of a neighbour, `back` to return to the table. */
function makeDetail(section, materials, data, choose, back) {
  const layer = makeLayerView(data.structures.radii);
  let shown = null, near = false, width = 0;

  function drawProfile() {
    const box = find(section, ".wx-profile");
    if (!box || !box.clientWidth) return;
    width = box.clientWidth;
    box.innerHTML = profileSvg(shown, width, near, atomColour);
    readProfile(box, shown, near);
    for (const button of section.querySelectorAll("[data-near]")) button.setAttribute("aria-pressed", Boolean(button.dataset.near) === near);
  }

  function save(kind) {
    if (kind === "structure") download(`${shown.id}.xyz`, extendedXyz(shown), "chemical/x-xyz");
    else download(`${shown.id}.csv`, profileCsv(shown), "text/csv");
  }

  section.addEventListener("click", event => {
    const target = event.target.closest("button, a[data-row]"), { row, near: range, view, scale, file } = target?.dataset ?? {};
    if (!target || (row !== undefined && (event.ctrlKey || event.metaKey || event.shiftKey))) return;
    if (row !== undefined) { event.preventDefault(); choose(+row, { focus: true }); }
    if (range !== undefined) { near = Boolean(range); drawProfile(); }
    if (view) layer.turn(view);
    if (scale) layer.zoom(+scale);
    if (file) save(file);
    if (target.classList.contains("wx-back")) back();
  });
  new ResizeObserver(() => { if (shown && find(section, ".wx-profile").clientWidth !== width) drawProfile(); }).observe(section);

  return {
    choose(m) {
      shown = m;
      section.innerHTML = detailHtml(m, materials, data.about.functional);
      find(section, ".wx-place").append(layer.box);
      drawProfile();
      layer.show(m);
      for (const element of section.querySelectorAll(".wx-views")) element.hidden = !layer.works();
    },
  };
}

// ---------------------------------------------------------------------------------------------- page

/** The material to begin with: that of the address, else the wanted formula and prototype, else the first. */
function firstMaterial(materials, wanted) {
  const named = materials.find(m => m.id === decodeURIComponent(location.hash.slice(1)));
  return named || materials.find(m => `${m.formula} ${m.prototype}` === wanted) || materials[0];
}

/** Buttons with a picture of one layer of each prototype and what it is, drawn when they are first looked at. */
function setUpKinds(form, materials, { names, formulas, meanings, examples }, radii) {
  const details = find(form, ".wx-kinds"), select = form.elements.prototype;
  const mark = () => { for (const b of details.querySelectorAll("button")) b.setAttribute("aria-pressed", b.value === select.value); };
  details.addEventListener("toggle", () => {
    if (!details.open || find(details, "button")) return;
    find(details, "div").innerHTML = names.map((name, k) =>
      `<button type="button" value="${escapeHtml(name)}">${sideSvg(materials[examples[k]].structure, radii)}` +
      `<b>${escapeHtml(name)}</b><span>${formulaHtml(formulas[k])}</span><small>${escapeHtml(meanings[k])}</small></button>`).join("");
    mark();
  });
  details.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (!button) return;
    select.value = select.value === button.value ? "" : button.value;
    select.dispatchEvent(new Event("input", { bubbles: true }));
  });
  form.addEventListener("input", mark);
  form.addEventListener("reset", () => setTimeout(mark));
}

function setUpFilters(form, materials, structures, apply) {
  const used = new Set(materials.flatMap(m => m.elements));
  addRangeInputs(form);
  addOptions(form.elements.prototype, tally(materials.map(m => m.prototype)), name => name || "none");
  addElements(find(form, ".wx-elements"), structures, used);
  const change = () => {
    const unknown = markElements(form, used), all = tests(form);
    apply(materials.filter(m => all.every(test => test(m))), unknown);
  };
  form.addEventListener("input", change);
  form.addEventListener("reset", () => setTimeout(change));
  form.addEventListener("submit", event => event.preventDefault());
  find(form, ".wx-elements").addEventListener("click", event => {
    if (event.target.value) { cycleElement(form, event.target); change(); }
  });
  change();
}

function start(root, data) {
  const materials = readMaterials(data), form = find(root, "form"), list = find(root, ".wx-list"), section = find(root, ".wx-detail");
  const narrow = () => getComputedStyle(find(root, ".wx-main")).gridTemplateColumns.split(" ").length === 1;
  const into = element => element.scrollIntoView({ block: "start", behavior: "instant" });
  let chosen = null;

  function show(m) {
    chosen = m;
    for (const part of [table, map, detail]) part.choose(m);
  }

  /** Select a material: `stay` leaves the page where it is, `focus` goes to the name of the material. */
  function choose(row, { stay = false, focus = false } = {}) {
    show(materials[row]);
    history.replaceState(history.state, "", `#${chosen.id}`);
    find(root, ".wx-said").textContent = `${chosen.formula}, ${chosen.prototype}, work function ${fixed(chosen.mean)} eV`;
    if (focus) find(section, "h2").focus({ preventScroll: true });
    if ((narrow() && !stay) || focus) into(section);
  }

  const back = () => { into(list); find(list, ".wx-scroll").focus({ preventScroll: true }); };
  const table = makeTable(list, choose), map = makeMap(find(root, ".wx-map"), materials, data.embedding.axes, choose);
  const detail = makeDetail(section, materials, data, choose, back);
  find(form, ".wx-more").open = !narrow();
  setUpFilters(form, materials, data.structures, (kept, unknown) => {
    table.show(kept);
    map.show(kept);
    const note = unknown.length ? `; ${unknown.join(", ")} occurs in none` : "";
    find(form, ".wx-count").textContent = `${count(kept.length)} of ${count(materials.length)} materials${note}`;
  });
  setUpKinds(form, materials, data.legend, data.structures.radii);
  find(form, ".wx-csv").addEventListener("click", () => download("wfclip-materials.csv", materialsCsv(table.rows()), "text/csv"));
  window.addEventListener("hashchange", () => {
    const m = materials.find(m => m.id === location.hash.slice(1));
    if (m && m !== chosen) show(m);
  });
  new MutationObserver(map.recolour).observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });
  show(firstMaterial(materials, root.dataset.first));
}

function begin() {
  const root = document.getElementById("explorer");
  if (!root || root.dataset.begun) return;
  root.dataset.begun = "";
  if (window.WFCLIP_DATA) start(root, window.WFCLIP_DATA);
  else find(root, ".wx-count").textContent = "The data could not be loaded: assets/explorer-data.js is missing.";
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
})();
