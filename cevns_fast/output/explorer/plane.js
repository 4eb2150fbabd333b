/* The plane of two parameters: chi2 on a grid, its contours and what is marked in it. */

/* Wilks' theorem with two degrees of freedom: P(chi2 > t) = exp(-t / 2). Styles differ without colour. */
const LEVELS = [
  { name: "68% CL", delta: -2 * Math.log(1 - 0.68), width: 2.2, dashes: "none" },
  { name: "90% CL", delta: -2 * Math.log(1 - 0.9), width: 1.6, dashes: "9 4" },
  { name: "95% CL", delta: -2 * Math.log(1 - 0.95), width: 1.6, dashes: "2 3" },
];

/* chi2 on a grid of points, with the other parameters of theta fixed; and the lowest found from the best of them. Points
 * of one mass follow each other, for the kernel has tables of each mass. */
function planeOf(likelihood, theta, [first, second], x, y, points) {
  const n = theta.length, thetas = new Float64Array(n * points * points), outer = first === 0 ? x : y;
  const grid = new Float64Array(points * points);
  const place = (k, l) => (first === 0 ? l * points + k : k * points + l); // k-th of the outer one, l-th of the other
  for (let k = 0, at = 0; k < points; k++)
    for (let l = 0; l < points; l++, at += n) {
      thetas.set(theta, at);
      thetas[at + (first === 0 ? first : second)] = outer.valueOf(k / (points - 1));
      thetas[at + (first === 0 ? second : first)] = (first === 0 ? y : x).valueOf(l / (points - 1));
    }
  const found = likelihood.batch(thetas);
  let lowest = 0;
  for (let k = 0; k < points; k++)
    for (let l = 0; l < points; l++) grid[place(k, l)] = found[k * points + l];
  for (let i = 1; i < found.length; i++) if (found[i] < found[lowest]) lowest = i;
  const start = Array.from(thetas.subarray(n * lowest, n * (lowest + 1)));
  const best = likelihood.minimum(start, [first, second]);
  for (const [i, scale] of [[first, x], [second, y]]) // a logarithmic axis shows one of two equal signs
    if (scale.log && best.theta[i] < 0) {
      best.theta[i] = -best.theta[i];
      best.chi2 = likelihood.chi2(best.theta);
    }
  if (!(best.chi2 <= found[lowest])) Object.assign(best, { chi2: found[lowest], theta: start });
  return { grid, points, best };
}

function planeScales(width, height, ranges, logs) {
  return [
    new Scale(ranges[0][0], ranges[0][1], logs[0], 66, width - 18),
    new Scale(ranges[1][0], ranges[1][1], logs[1], height - 48, 12),
  ];
}

function drawPlane(box, plane, x, y, labels, point, axes) {
  const width = x.to + 18, height = y.from + 48;
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", fill: "#111" });
  svg.append(drawn("title", {}, `Contours of chi-squared over ${labels.map((each) => symbolText(each.symbol)).join(" and ")}`));
  svg.append(drawn("clipPath", { id: "inside" },
    drawn("rect", { x: x.from, y: y.to, width: x.to - x.from, height: y.from - y.to })));
  const inside = drawn("g", { "clip-path": "url(#inside)" }), last = plane.points - 1;
  const capped = plane.grid.map((value) => Math.min(value - plane.best.chi2, 1e6));
  const at = ([i, j]) =>
    `${(x.from + (i / last) * (x.to - x.from)).toFixed(2)},${(y.from + (j / last) * (y.to - y.from)).toFixed(2)}`;
  for (const { delta, width: thick, dashes } of LEVELS) {
    const lines = contoursOf(capped, plane.points, plane.points, delta);
    const d = lines.map((line) => "M" + line.map(at).join("L")).join("");
    inside.append(drawn("path", { d, fill: "none", stroke: "#111", "stroke-width": thick, "stroke-dasharray": dashes,
                                  "data-delta": delta }));
  }
  const [left, up] = [x.at(plane.best.theta[axes[0]]), y.at(plane.best.theta[axes[1]])];
  if (Number.isFinite(left) && Number.isFinite(up))
    inside.append(drawn("path", { d: `M${left - 6},${up}h12M${left},${up - 6}v12`, stroke: "#111", "stroke-width": 1.6 }));
  const here = [x.at(point[axes[0]]), y.at(point[axes[1]])];
  if (here.every(Number.isFinite)) {
    inside.append(drawn("path", { d: `M${here[0]},${y.from}V${y.to}M${x.from},${here[1]}H${x.to}`, stroke: "#999",
                                  "stroke-width": 0.8 }));
    inside.append(drawn("circle", { cx: here[0], cy: here[1], r: 6, fill: "#fff", stroke: "#111", "stroke-width": 2.2,
                                    id: "point" }));
  }
  svg.append(inside);
  frame(svg, x, y, ...labels.map((each) => ({ name: symbolSvg(each.symbol), unit: each.unit })));
  box.replaceChildren(svg);
}

function planeLegend() {
  const line = ({ width, dashes }) => drawn("path", { d: "M1,7H33", stroke: "#111", "stroke-width": width,
                                                      "stroke-dasharray": dashes });
  const key = (mark, text) => element("span", {}, drawn("svg", { viewBox: "0 0 34 14", "aria-hidden": "true" }, mark), text);
  return [
    ...LEVELS.map((level) => key(line(level), level.name)),
    key(drawn("path", { d: "M11,7h12M17,1v12", stroke: "#111", "stroke-width": 1.6 }), "best fit"),
    key(drawn("circle", { cx: 17, cy: 7, r: 5, fill: "#fff", stroke: "#111", "stroke-width": 2.2 }), "the sliders' values"),
  ];
}
