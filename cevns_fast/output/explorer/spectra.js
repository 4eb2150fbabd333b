/* The counts of each experiment: data, the Standard Model, new physics, and backgrounds. */

const LINES = {
  standardModel: { name: "Standard Model", stroke: "#888", width: 3.2, dashes: "none" },
  total: { name: "at the sliders' values", stroke: "#111", width: 1.8, dashes: "none" },
  fitted: { name: "the same, nuisances and backgrounds fitted", stroke: "#111", width: 1.4, dashes: "7 3" },
  news: { name: "what is added to the Standard Model", stroke: "#111", width: 1.4, dashes: "2 3" },
};
const BACKGROUNDS = ["10 3 2 3", "1 4", "5 5", "12 4 2 4 2 4"];

/* Sums of bins that are drawn in one place. */
function gathered(experiment, bins) {
  const found = experiment.edges.slice(1).map(() => 0);
  experiment.place.forEach((place, i) => { if (place >= 0) found[place] += bins[i]; });
  return found.map((value, i) => (experiment.standardModel[i] === null ? null : value));
}

function stairs(edges, heights, x, y) {
  let d = "";
  heights.forEach((height, i) => {
    if (height === null || !Number.isFinite(height)) return;
    const joined = i > 0 && heights[i - 1] !== null && d;
    d += `${joined ? "L" : "M"}${x.at(edges[i]).toFixed(2)},${y.at(height).toFixed(2)}H${x.at(edges[i + 1]).toFixed(2)}`;
  });
  return d;
}

/* How counts of bins are compared: per unit where widths differ. */
function densities(experiment) {
  const widths = experiment.edges.slice(1).map((edge, i) => edge - experiment.edges[i]);
  const equal = widths.every((width) => Math.abs(width - widths[0]) < 1e-6 * widths[0]);
  const unit = /\[(.*)\]/.exec(experiment.label)?.[1] ?? experiment.label.replace(/s$/, "");
  return { label: equal ? "counts per bin" : `counts per ${unit}`, by: widths.map((width) => (equal ? 1 : width)) };
}

function drawSpectrum(box, experiment, counts, steady) {
  const width = Math.max(280, box.clientWidth), height = Math.round(Math.min(320, Math.max(240, width * 0.6)));
  const { label, by } = densities(experiment), per = (values) => values.map((v, i) => (v === null ? null : v / by[i]));
  const signal = gathered(experiment, counts.signal), expectation = gathered(experiment, counts.expectation);
  const series = {
    standardModel: per(experiment.standardModel),
    total: per(signal),
    fitted: per(expectation.map((value, i) => (value === null ? null : value - experiment.base[i]))),
    news: per(signal.map((value, i) => (value === null ? null : value - experiment.standardModel[i]))),
  };
  const data = per(experiment.data), error = per(experiment.error);
  const seen = (values) => values.filter((value) => value !== null && Number.isFinite(value));
  const ends = [...seen(data.map((value, i) => value + error[i])), ...seen(data.map((value, i) => value - error[i])),
                ...seen(series.standardModel)];
  // the axis is that of the data: lines of large couplings leave it, and data stay readable
  const high = Math.max(...ends, Math.min(Math.max(...seen(series.total)), 2.5 * Math.max(...ends)));
  const low = Math.min(0, ...ends);
  const pad = 0.06 * (high - low), edges = experiment.edges;
  const log = edges[0] > 0 && edges[edges.length - 1] > 50 * edges[0];
  const x = new Scale(edges[0], edges[edges.length - 1], log, 62, width - 18);
  const y = new Scale(low < 0 ? low - pad : 0, high + pad, false, height - 46, 10);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", fill: "#111" });
  svg.append(drawn("title", {}, `Counts of ${experiment.name}`));
  const clip = `clip-${experiment.name}`;
  svg.append(drawn("clipPath", { id: clip },
    drawn("rect", { x: x.from, y: y.to, width: x.to - x.from, height: y.from - y.to })));
  const inside = drawn("g", { "clip-path": `url(#${CSS.escape(clip)})`, fill: "none" });
  const line = (heights, { stroke, width: thick, dashes }) =>
    inside.append(drawn("path", { d: stairs(edges, heights, x, y), stroke, "stroke-width": thick,
                                  "stroke-dasharray": dashes }));
  if (low < 0) inside.append(drawn("path", { d: `M${x.from},${y.at(0)}H${x.to}`, stroke: "#999", "stroke-width": 0.6 }));
  if (steady)
    experiment.backgrounds.forEach(({ counts: of }, i) =>
      line(per(of), { stroke: "#777", width: 1.2, dashes: BACKGROUNDS[i % BACKGROUNDS.length] }));
  for (const name of Object.keys(LINES)) line(series[name], LINES[name]);
  data.forEach((value, i) => {
    if (value === null) return;
    const middle = (x.at(edges[i]) + x.at(edges[i + 1])) / 2;
    inside.append(drawn("path", { d: `M${middle},${y.at(value - error[i])}V${y.at(value + error[i])}`, stroke: "#111" }));
    const hollow = experiment.simulated ? "#fff" : "#111";
    inside.append(drawn("circle", { cx: middle, cy: y.at(value), r: 3.2, fill: hollow, stroke: "#111" }));
  });
  svg.append(inside);
  frame(svg, x, y, { name: experiment.label, unit: "" }, { name: label, unit: "" });
  box.replaceChildren(svg);
}

function spectraLegend(experiments, steady) {
  const key = (mark, text) => element("span", {}, drawn("svg", { viewBox: "0 0 34 14", "aria-hidden": "true" }, mark), text);
  const sample = (stroke, width, dashes) => drawn("path", { d: "M1,7H33", stroke, "stroke-width": width,
                                                            "stroke-dasharray": dashes });
  const dot = drawn("g", {}, drawn("path", { d: "M17,0V14", stroke: "#111" }), drawn("circle", { cx: 17, cy: 7, r: 3.2 }));
  const simulated = experiments.some((each) => each.simulated) ? "data (hollow: simulated)" : "data";
  const found = [key(dot, `${simulated} less backgrounds, statistical error`)];
  for (const { name, stroke, width, dashes } of Object.values(LINES)) found.push(key(sample(stroke, width, dashes), name));
  if (steady)
    for (const { name, backgrounds } of experiments)
      backgrounds.forEach((each, i) => found.push(
        key(sample("#777", 1.2, BACKGROUNDS[i % BACKGROUNDS.length]),
            experiments.length > 1 ? `${each.name} (${name})` : each.name)));
  return found;
}
