/* The page: what is chosen, what is moved, and what is drawn of it. */

const described = JSON.parse(document.getElementById("described").textContent);
const byId = (id) => document.getElementById(id);
const finest = 121, coarsest = 31, budget = 22; // points along an axis; milliseconds for a plane while something moves

const state = { model: 0, group: 0, chosen: [], step: 0, theta: [], widths: [], axes: [0, 1], ranges: [] };
let kernel, whole, likelihood, sliders = [], stepper = null, widthSliders = [], plane = null, cost = 2e-3;
const opened = new Map();
let opening = Promise.resolve(); // of what was asked for last

const modelNow = () => described.models[state.model];
const groupNow = () => modelNow().groups[state.group];
const isLog = (i) => modelNow().parameters[state.axes[0]].isMass || modelNow().parameters[state.axes[1]].isMass
  ? modelNow().parameters[i].isMass || state.axes.includes(i) : modelNow().parameters[i].isMass;

/* A value with its unit, for a sentence. */
function withUnit(value, unit, digits) {
  return unit ? [`${numberText(value, digits)} `, unitHtml(unit)] : [numberText(value, digits)];
}

/* The likelihood of a group of experiments at a step, opened once. */
function openedAt(model, group, step) {
  const key = `${model} ${group} ${step}`;
  if (!opened.has(key)) {
    const block = described.models[model].groups[group].blocks[step];
    opened.set(key, numbersOf(block).then((numbers) => Likelihood.of(kernel, numbers)));
  }
  return opening = opened.get(key);
}

/* Takes what is chosen and the widths to the kernel. */
function choose() {
  likelihood?.close();
  likelihood = whole.variant(state.chosen, state.widths);
}

/* ---- ranges ---------------------------------------------------------------------------------------------------- */

/* How far a coupling alone can go from where all begin before chi2 has risen by 9, from where it is too far; null if
 * nothing is. */
function reach(i, theta) {
  const trial = Array.from(theta, (value, j) => (modelNow().parameters[j].isMass ? value : modelNow().parameters[j].start));
  const least = likelihood.chi2(trial), { start } = modelNow().parameters[i];
  const at = (shift) => { trial[i] = start + shift; return likelihood.chi2(trial); };
  let size = 2 ** 20;
  if (Math.max(at(size), at(-size)) - least < 9) return null;
  for (let n = 0; n < 200 && Math.min(at(size / 2), at(-size / 2)) - least > 9; n++) size /= 2;
  return size;
}

/* A value of one coupling that the data begin to dislike: chi2 is higher by 4. */
function noticed(i) {
  const theta = Array.from(state.theta), least = likelihood.chi2(theta);
  const { start } = modelNow().parameters[i];
  let low = 0, high = reach(i, theta);
  if (high === null) return start;
  for (let n = 0; n < 40; n++) {
    const middle = (low + high) / 2;
    theta[i] = start + middle;
    if (likelihood.chi2(theta) - least > 4) high = middle;
    else low = middle;
  }
  return Number((start + low).toPrecision(start ? 3 : 2));
}

function rounded(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return Number((power * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((each) => each * power >= value * (1 - 1e-9))).toPrecision(2));
}

function massRange(parameter) {
  const { lower, upper } = parameter;
  return lower > 0 ? [lower, upper] : [Math.max(0.1, upper / 1000), 0.999 * upper];
}

/* Ranges of all parameters that suit the data. */
function suit() {
  const { parameters } = modelNow(), mass = parameters.findIndex((each) => each.isMass);
  parameters.forEach((parameter, i) => {
    if (parameter.isMass) {
      state.ranges[i] = massRange(parameter);
      return;
    }
    const theta = Array.from(state.theta), { start, lower, upper } = parameter;
    if (start !== 0) { // not around zero: as far as the data allow, within the bounds
      const size = 1.5 * (reach(i, theta) ?? Infinity);
      state.ranges[i] = [Math.max(start - size, lower ?? -Infinity), Math.min(start + size, upper ?? Infinity)];
      return;
    }
    if (!isLog(i)) {
      const size = reach(i, theta) ?? (mass >= 0 ? reach(i, theta.with(mass, massRange(parameters[mass])[0])) : null) ?? 1;
      const half = rounded(0.9 * size), far = Math.abs(state.theta[i]);
      const wide = far > half && far < 4 * half ? rounded(1.1 * far) : half;
      state.ranges[i] = [-wide, wide];
      return;
    }
    const [low, high] = massRange(parameters[mass]), found = [];
    for (const part of [0, 0.25, 0.5, 0.75, 0.95]) {
      theta[mass] = low * (high / low) ** part;
      const size = reach(i, theta);
      if (size !== null) found.push(size);
    }
    const least = found.length ? Math.min(...found) : 1e-3, most = found.length ? Math.max(...found) : 1;
    state.ranges[i] = [rounded(least / 12), rounded(Math.min(most * 4, least * 1e4))];
  });
  showRanges();
}

function showRanges() {
  modelNow().parameters.forEach((parameter, i) => sliders[i].setRange(...state.ranges[i], isLog(i)));
}

function zoom(by) {
  for (const i of state.axes) {
    const parameter = modelNow().parameters[i], [low, high] = state.ranges[i];
    if (parameter.isMass) continue;
    const middle = (low + high) / 2, half = (high - low) / 2 / by;
    state.ranges[i] = isLog(i) ? [low * by, high / by] : [middle - half, middle + half];
    if (isLog(i) && !(state.ranges[i][1] > 4 * state.ranges[i][0])) state.ranges[i] = [low, high];
  }
  showRanges();
  recompute();
}

/* ---- drawing --------------------------------------------------------------------------------------------------- */

let pending = null, settling = null, stale = true;

/* Draws once before the next frame; the plane again if its values have changed, finely when nothing moves any more. */
function recompute(planeToo = true) {
  stale ||= planeToo;
  pending ??= requestAnimationFrame(() => {
    pending = null;
    draw();
  });
}

function scalesNow() {
  const width = Math.max(280, byId("plane").clientWidth), height = Math.round(Math.min(520, Math.max(280, width * 0.78)));
  return planeScales(width, height, state.axes.map((i) => state.ranges[i]), state.axes.map(isLog));
}

function draw() {
  const [x, y] = scalesNow();
  const wanted = Math.max(coarsest, Math.min(finest, Math.floor(Math.sqrt(budget / cost))));
  if (stale) {
    const begin = performance.now();
    plane = planeOf(likelihood, state.theta, state.axes, x, y, wanted);
    cost = 0.5 * cost + 0.5 * (performance.now() - begin) / wanted ** 2;
    stale = false;
    clearTimeout(settling);
    if (wanted < finest) settling = setTimeout(() => {
      plane = planeOf(likelihood, state.theta, state.axes, ...scalesNow(), finest);
      drawAll(...scalesNow());
    }, 200);
  }
  drawAll(x, y);
}

function drawAll(x, y) {
  const { parameters } = modelNow();
  drawPlane(byId("plane"), plane, x, y, state.axes.map((i) => parameters[i]), state.theta, state.axes);
  drawSpectra();
  tell();
}

function chosenExperiments() {
  return groupNow().experiments.filter((_, i) => state.chosen[i]).map((i) => described.experiments[i]);
}

function drawSpectra() {
  const counts = likelihood.counts(state.theta), shown = chosenExperiments(), box = byId("spectra");
  if (box.dataset.shown !== shown.map((each) => each.name).join()) {
    box.dataset.shown = shown.map((each) => each.name).join();
    box.replaceChildren(...shown.map((each) => {
      const note = each.approximate ? element("small", {}, " approximate") : "";
      return element("figure", {}, element("figcaption", {}, each.name, note), element("div", { class: "figure" }));
    }));
    byId("spectra-legend").replaceChildren(...spectraLegend(shown, true));
  }
  let first = 0;
  shown.forEach((each, i) => {
    const bins = [first, (first += each.place.length)], part = (values) => values.slice(...bins);
    const own = { signal: part(counts.signal), expectation: part(counts.expectation) };
    drawSpectrum(box.children[i].lastChild, each, own, true);
  });
}

/* What is seen, in words. */
function tell() {
  const { parameters } = modelNow(), chi2 = likelihood.chi2(state.theta), delta = chi2 - plane.best.chi2;
  const level = LEVELS.find((each) => delta <= each.delta);
  byId("readout").replaceChildren(
    `At the sliders' values χ² = ${numberText(chi2, 5)}, Δχ² = ${numberText(Math.max(delta, 0), 3)}: `,
    element("strong", {}, level ? `inside the ${level.name} region` : "outside the 95% CL region"),
    `. Best fit of the two: χ² = ${numberText(plane.best.chi2, 5)} for ${likelihood.bins} bins at `,
    ...state.axes.flatMap((i, n) => [n ? ", " : "", symbolHtml(parameters[i].symbol), " = ",
                                     ...withUnit(plane.best.theta[i], parameters[i].unit, 3)]), ".");
  const others = parameters.flatMap((parameter, i) => state.axes.includes(i) ? []
    : [symbolHtml(parameter.symbol), " = ", ...withUnit(state.theta[i], parameter.unit, 4), ", "]);
  const { stepped } = modelNow();
  if (stepped) others.push(symbolHtml(stepped.symbol), ` = ${numberText(stepped.values[state.step])} MeV`);
  else others.pop();
  byId("caption").replaceChildren(
    "Lines: Δχ² = 2.28, 4.61 and 5.99 above the best fit of both parameters (two degrees of freedom, Wilks' theorem). ",
    ...(others.length ? ["Fixed: ", ...others, ". "] : []),
    `Statistic: ${[...new Set(chosenExperiments().map((each) => each.statistic))].join(" and ")}; all nuisances profiled.`);
  byId("python").textContent = python();
  const pulls = likelihood.pulls(state.theta);
  groupNow().nuisances.forEach((nuisance, k) => { widthSliders[k]?.show(pulls[k]); });
}

/* What gives the same chi2 in Python. */
function python() {
  const { name, parameters, stepped, python: { fixed, bounds } } = modelNow(), text = JSON.stringify;
  const stays = Object.entries(fixed).map(([field, value]) => `${text(field)}: ${value}`);
  if (stepped) stays.push(`${text(stepped.name)}: ${stepped.values[state.step]}`);
  const widened = state.widths.some((width) => width !== 1);
  return [
    "import cevns_fast as cf", "",
    `experiments = [${chosenExperiments().map((each) => `cf.load(${text(each.name)})`).join(", ")}]`,
    `parameters = [${parameters.map((each) => text(each.name)).join(", ")}]`,
    `fit = cf.Likelihood(experiments, model=cf.${name}, parameters=parameters, fixed={${stays.join(", ")}}, bounds=${bounds})`,
    `chi2 = fit([${state.theta.join(", ")}])  # ${likelihood.chi2(state.theta)}`,
    ...(widened ? ["# but for widths of nuisances, which are not those that the experiments state"] : []),
  ].join("\n");
}

/* ---- building controls ----------------------------------------------------------------------------------------- */

function moved(i, value) {
  state.theta[i] = value;
  recompute(!state.axes.includes(i));
}

/* After a move: contours that have left the plane, or have become small in it, are looked for. */
function done() {
  if (stale || state.axes.some((i) => modelNow().parameters[i].isMass)) return;
  const inside = plane.grid.filter((value) => value - plane.best.chi2 < LEVELS[2].delta).length / plane.grid.length;
  if (inside > 0.01 && inside < 0.8) return;
  suit();
  recompute();
}

function buildParameters() {
  const { parameters, stepped } = modelNow();
  sliders = parameters.map((parameter, i) => new Slider({
    id: `parameter-${parameter.name}`,
    label: element("span", {}, symbolHtml(parameter.symbol),
                   parameter.unit ? element("small", {}, " [", unitHtml(parameter.unit), "]") : ""),
    hint: `${parameter.name}: ${parameter.description}`,
    bounds: [parameter.lower, parameter.upper],
    onmove: (value) => moved(i, value),
    ondone: done,
  }));
  sliders.forEach((slider, i) => { slider.value = state.theta[i]; });
  const boxes = sliders.map((slider) => slider.box);
  if (stepped) {
    const range = element("input", { type: "range", min: 0, max: stepped.values.length - 1, step: 1, id: "stepped",
                                     "aria-label": `${stepped.name}, MeV` });
    const text = element("output", { for: "stepped" });
    const show = () => {
      text.textContent = `${numberText(stepped.values[state.step])} MeV`;
      range.setAttribute("aria-valuetext", text.textContent);
    };
    range.value = String(state.step);
    range.addEventListener("input", async () => {
      state.step = Number(range.value);
      show();
      const wanted = state.step, model = state.model, found = await openedAt(model, state.group, wanted);
      if (state.step !== wanted || state.model !== model) return;
      whole = found;
      choose();
      recompute();
    });
    range.addEventListener("change", async () => {
      whole = await openedAt(state.model, state.group, state.step);
      choose();
      suit();
      recompute();
    });
    show();
    boxes.splice(1, 0, element("div", { class: "slider" },
      element("label", { for: "stepped" }, symbolHtml(stepped.symbol), element("small", {}, " [MeV]")), text, range,
      element("span", { class: "role" }, `one of ${stepped.values.length} values`)));
  }
  byId("parameters").replaceChildren(...boxes);
}

const plain = (value) => numberText(Math.abs(value) < 5e-3 ? 0 : value, 2);

function buildNuisances() {
  const { nuisances } = groupNow(), members = groupNow().experiments.map((i) => described.experiments[i].name);
  const belongs = (name) => members.findIndex((each) => name.startsWith(`${each}: `));
  widthSliders = nuisances.map((nuisance, k) => {
    if (!nuisance.acts.some((acts, i) => acts && state.chosen[i])) return null;
    const owner = belongs(nuisance.name);
    const name = owner >= 0 ? nuisance.name.slice(members[owner].length + 2) : nuisance.name;
    const words = name === "alpha" ? "signal normalisation" : name.replace(/^beta: /, "");
    const title = owner >= 0 && members.length > 1 ? `${words}, ${members[owner]}` : words;
    const whose = owner >= 0 && members.length > 1 ? element("small", {}, element("br"), members[owner]) : "";
    if (nuisance.isFree) {
      const role = element("span", { class: "role" });
      return { box: element("div", { class: "slider" }, element("span", {}, words, whose), element("output", {}, "free"), role),
               show: () => {} };
    }
    const factor = nuisance.width === null ? 1 : 100 * nuisance.width;
    const unit = nuisance.width === null ? " [× stated width]" : " [%]";
    const slider = new Slider({
      id: `width-${k}`,
      label: element("span", {}, words, element("small", {}, unit), whose),
      hint: `width of ${title}`,
      bounds: [1e-4 * factor, 1e3 * factor],
      onmove: (value) => { state.widths[k] = value / factor; choose(); recompute(); },
      ondone: done,
    });
    slider.value = Number((factor * state.widths[k]).toPrecision(6));
    slider.setRange(factor / 30, factor * 10, true);
    const show = slider.show.bind(slider);
    slider.show = (pull) => {
      show();
      if (pull !== undefined)
        slider.role.textContent = `best fit ${plain(pull / state.widths[k])} σ` +
          (nuisance.width === null ? "" : ` (${plain(100 * pull * nuisance.width)}%)`) +
          (Math.abs(state.widths[k] - 1) > 1e-6 ? `; stated ${numberText(factor, 3)}` : "");
    };
    return slider;
  });
  const boxes = widthSliders.filter(Boolean).map((each) => each.box);
  byId("nuisances").replaceChildren(...(boxes.length ? boxes : [element("p", { class: "note" }, "none")]));
}

function buildAxes() {
  ["x-axis", "y-axis"].forEach((id, n) => {
    const options = modelNow().parameters.map((parameter, i) =>
      element("option", { value: i, selected: i === state.axes[n] }, symbolText(parameter.symbol)));
    byId(id).replaceChildren(...options);
  });
}

function buildExperiments() {
  const { groups } = modelNow();
  byId("experiments").replaceChildren(...described.experiments.map((experiment, i) => {
    const group = groups.findIndex((each) => each.experiments.includes(i));
    const box = element("input", { type: "checkbox", id: `experiment-${experiment.name}` });
    box.checked = group === state.group && state.chosen[groups[group].experiments.indexOf(i)];
    box.addEventListener("change", () => choice(group, groups[group].experiments.indexOf(i), box.checked));
    const more = [experiment.approximate && "approximate data", experiment.simulated && "simulated data",
                  groups.length > 1 && group !== state.group && "not together with those chosen"].filter(Boolean);
    return element("label", {}, box, experiment.name, more.length ? element("small", {}, more.join("; ")) : "");
  }));
}

/* An experiment is ticked or not; one is always left, and those that hold the same data are not fitted together. */
async function choice(group, member, ticked) {
  if (group !== state.group) {
    state.group = group;
    state.chosen = groupNow().experiments.map((_, i) => i === member);
    state.widths = groupNow().nuisances.map(() => 1);
  } else {
    state.chosen[member] = ticked;
    if (!state.chosen.some(Boolean)) state.chosen[member] = true;
  }
  await reopen();
}

async function reopen() {
  whole = await openedAt(state.model, state.group, state.step);
  choose();
  buildExperiments();
  buildNuisances();
  suit();
  recompute();
}

/* Another interaction, or the page as it began: masses at a typical value, one coupling where it is noticed. */
async function begin(model) {
  const names = () => groupNow()?.nuisances.map((each) => each.name).join(), before = names();
  state.model = model;
  const { parameters, stepped, settings } = modelNow(), mass = parameters.findIndex((each) => each.isMass);
  if (!state.chosen.length) state.group = 0; // groups are those of all models
  if (state.chosen.length !== groupNow().experiments.length) state.chosen = groupNow().experiments.map((_, i) => i === 0);
  state.step = stepped ? Math.floor(stepped.values.length / 2) : 0;
  if (names() !== before || state.widths.length === 0) state.widths = groupNow().nuisances.map(() => 1);
  state.theta = parameters.map((parameter) => parameter.start);
  const couplings = parameters.flatMap((parameter, i) => (parameter.isMass ? [] : [i]));
  state.axes = mass >= 0 ? [mass, couplings.at(-1)] : couplings.slice(0, 2);
  state.ranges = [];
  byId("settings").textContent = Object.entries(settings).map(([name, value]) => `${name}: ${value}`).join(", ");
  buildParameters();
  buildAxes();
  whole = await openedAt(state.model, state.group, state.step);
  choose();
  const i = state.axes[1];
  state.theta[i] = noticed(i);
  sliders[i].value = state.theta[i];
  await reopen();
}

/* ---- the plane as a control ------------------------------------------------------------------------------------ */

function dragInPlane() {
  const box = byId("plane");
  let held = false;
  const take = (event) => {
    const [x, y] = scalesNow(), svg = box.firstChild.getBoundingClientRect(), shrunk = svg.width / (x.to + 18);
    [x, y].forEach((scale, n) => {
      const i = state.axes[n], pixel = (n === 0 ? event.clientX - svg.left : event.clientY - svg.top) / shrunk;
      const inside = Math.min(Math.max(pixel, Math.min(scale.from, scale.to)), Math.max(scale.from, scale.to));
      state.theta[i] = sliders[i].rounded(scale.inverse(inside));
      sliders[i].set(state.theta[i]);
    });
    recompute(false);
  };
  box.addEventListener("pointerdown", (event) => { held = true; box.setPointerCapture(event.pointerId); take(event); });
  box.addEventListener("pointermove", (event) => { if (held) take(event); });
  for (const name of ["pointerup", "pointercancel"]) box.addEventListener(name, () => { held = false; });
}

function notes() {
  const found = element("dl");
  for (const each of described.experiments) {
    found.append(element("dt", {}, each.name), element("dd", {}, `${each.description}. ${each.citation}.`));
    if (each.approximate) found.append(element("dd", {}, element("strong", {}, "Approximate: "), `${each.approximate}.`));
    if (each.simulated) found.append(element("dd", {}, element("strong", {}, "Simulated data. "), "A projection, not a measurement."));
  }
  byId("notes").append(found);
}

async function start() {
  kernel = await kernelOf(byId("module").textContent.trim());
  document.querySelector("main").hidden = false;
  byId("interaction").replaceChildren(...described.models.map((model, i) => element("option", { value: i }, model.title)));
  byId("interaction").addEventListener("change", (event) => begin(Number(event.target.value)));
  ["x-axis", "y-axis"].forEach((id, n) => byId(id).addEventListener("change", (event) => {
    const wanted = Number(event.target.value);
    if (wanted === state.axes[1 - n]) state.axes.reverse(); // the other axis takes what this one had
    state.axes[n] = wanted;
    buildAxes();
    for (const i of state.axes) // a logarithmic axis has no zero and no other sign
      if (isLog(i) && state.theta[i] < 0) sliders[i].value = state.theta[i] = -state.theta[i];
    suit();
    recompute();
  }));
  byId("closer").addEventListener("click", () => zoom(1.5));
  byId("farther").addEventListener("click", () => zoom(1 / 1.5));
  byId("fit").addEventListener("click", () => { suit(); recompute(); });
  byId("reset").addEventListener("click", () => {
    state.chosen = [];
    state.widths = [];
    begin(state.model);
  });
  byId("plane-legend").replaceChildren(...planeLegend());
  dragInPlane();
  notes();
  await begin(0);
  new ResizeObserver(() => recompute(false)).observe(byId("plane"));
}

/* For tests, and for those who want numbers: everything that is drawn, at any point. */
window.cevns = {
  ready: start().then(() => true),
  idle: async () => { // when nothing is being opened any more, and what waited for it has gone on
    for (let seen = null; seen !== opening;) {
      seen = opening;
      await seen.catch(() => {});
      await new Promise((done) => setTimeout(done));
    }
  },
  state,
  parameters: () => modelNow().parameters.map((each) => each.name),
  experiments: () => chosenExperiments().map((each) => each.name),
  chi2: (theta) => likelihood.chi2(theta ?? state.theta),
  counts: (theta) => {
    const { signal, expectation } = likelihood.counts(theta ?? state.theta);
    return { signal: Array.from(signal), expectation: Array.from(expectation) };
  },
  plane: () => ({ best: plane.best, points: plane.points, grid: Array.from(plane.grid) }),
};
window.cevns.ready.catch((error) => {
  byId("failure").hidden = false;
  byId("failure").textContent = `The explorer cannot run here: ${error.message}`;
});
