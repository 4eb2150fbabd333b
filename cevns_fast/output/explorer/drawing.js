/* Elements, numbers and axes. What comes from data is set as text or as an attribute, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (value !== false && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

function powerOfTen(exponent) {
  return "10" + [...String(exponent)].map((letter) => RAISED[letter]).join("");
}

/* As one would write it: 0.002, 1.3×10⁻⁵. */
function numberText(value, digits = 3) {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "–";
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e").map(Number);
  if (exponent >= -3 && exponent < 5) return String(Number(value.toPrecision(digits))).replace("-", "−");
  return (mantissa === 1 ? "" : mantissa === -1 ? "−" : String(mantissa).replace("-", "−") + "×") + powerOfTen(exponent);
}

/* A symbol as HTML, and as a part of SVG's text: letters with lower and upper indices. */
function symbolHtml(symbol) {
  const found = document.createDocumentFragment();
  for (const [letter, low, high] of symbol) {
    found.append(element("i", {}, letter));
    if (high) found.append(element("sup", {}, high));
    if (low) found.append(element("sub", {}, low));
  }
  return found;
}

function symbolSvg(symbol) {
  const found = document.createDocumentFragment();
  let shift = 0;
  const index = (text, by) => {
    found.append(drawn("tspan", { dy: by - shift, "font-size": "78%" }, text));
    shift = by;
  };
  for (const [letter, low, high] of symbol) {
    found.append(drawn("tspan", { dy: -shift, "font-style": "italic" }, letter));
    shift = 0;
    if (low) index(low, 4);
    if (high) index(high, -5);
  }
  if (shift) found.append(drawn("tspan", { dy: -shift }, "\u200b"));
  return found;
}

/* A unit as HTML and as a part of SVG's text: MeV, cm², and μ_B with its index below. */
function unitHtml(unit) {
  const [name, low] = unit.split("_"), found = document.createDocumentFragment();
  found.append(name, low ? element("sub", {}, low) : "");
  return found;
}

function unitSvg(unit, exponent) {
  const [name, low] = unit.split("_"), found = document.createDocumentFragment();
  found.append(` [${exponent ? powerOfTen(exponent) : ""}${exponent && name ? " " : ""}${name}`);
  if (low) found.append(drawn("tspan", { dy: 4, "font-size": "78%" }, low), drawn("tspan", { dy: -4 }, "]"));
  else found.append("]");
  return found;
}

function symbolText(symbol) {
  return symbol.map(([letter, low, high]) => letter + (low && `_${low}`) + (high && `^${high}`)).join(" ");
}

/* A range of numbers on a line of pixels. */
class Scale {
  constructor(low, high, log, from, to) {
    Object.assign(this, { low, high, log, from, to });
    const ends = log ? [Math.log(low), Math.log(high)] : [low, high];
    this.start = ends[0];
    this.length = ends[1] - ends[0];
  }
  part(value) { return ((this.log ? Math.log(value) : value) - this.start) / this.length; }
  at(value) { return this.from + this.part(value) * (this.to - this.from); }
  valueOf(part) {
    const here = this.start + part * this.length;
    return this.log ? Math.exp(here) : here;
  }
  inverse(pixel) { return this.valueOf((pixel - this.from) / (this.to - this.from)); }

  /* { value, text } with text for some of them; and a power of ten that all texts leave out. */
  ticks(most = 6) {
    return this.log ? this.logTicks(most) : this.linearTicks(most);
  }
  logTicks(most) {
    const found = [], first = Math.floor(Math.log10(this.low)), last = Math.ceil(Math.log10(this.high));
    const stride = Math.max(1, Math.ceil((last - first) / most)), few = last - first <= 3;
    const inRange = (value) => value >= this.low * (1 - 1e-9) && value <= this.high * (1 + 1e-9);
    for (let exponent = first; exponent <= last; exponent++)
      for (let digit = 1; digit < 10; digit++) {
        const value = digit * 10 ** exponent;
        if (!inRange(value) || (digit > 1 && stride > 1)) continue;
        const named = digit === 1 ? exponent % stride === 0 : few && (digit === 2 || digit === 5) && last - first <= 1;
        const plain = exponent >= -2 && exponent <= 4, power = (digit === 1 ? "" : `${digit}×`) + powerOfTen(exponent);
        found.push({ value, text: !named ? "" : plain ? String(Number(value.toPrecision(1))) : power });
      }
    return { ticks: found, exponent: 0 };
  }
  linearTicks(most) {
    const rough = (this.high - this.low) / most, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 2.5, 5, 10].find((each) => each * power >= rough * (1 - 1e-9));
    const largest = Math.max(Math.abs(this.low), Math.abs(this.high)), exponent = Math.floor(Math.log10(largest));
    const left = exponent < -2 || exponent > 4 ? exponent : 0, found = [];
    const digits = (String(Number((step / 10 ** left).toPrecision(2))).split(".")[1] ?? "").length;
    for (let n = Math.ceil(this.low / step - 1e-9); n * step <= this.high + 1e-9 * step; n++) {
      const text = ((n * step) / 10 ** left).toFixed(digits).replace("-", "−");
      found.push({ value: n * step, text: n === 0 ? "0" : text });
    }
    return { ticks: found, exponent: left };
  }
}

/* The frame of a figure with ticks, numbers and labels, { name, unit }: a name is what symbolSvg makes, or text. */
function frame(svg, x, y, xLabel, yLabel) {
  const [left, right, bottom, top] = [x.from, x.to, y.from, y.to], group = drawn("g", { "font-size": 12.5 });
  const horizontal = x.ticks(Math.max(3, Math.floor((right - left) / 75)));
  const vertical = y.ticks(Math.max(5, Math.floor((bottom - top) / 45)));
  for (const { value, text } of horizontal.ticks) {
    const at = x.at(value), size = text ? 6 : 3;
    group.append(drawn("path", { d: `M${at},${bottom}v${-size}M${at},${top}v${size}`, stroke: "#111", fill: "none" }));
    if (text) group.append(drawn("text", { x: at, y: bottom + 17, "text-anchor": "middle" }, text));
  }
  for (const { value, text } of vertical.ticks) {
    const at = y.at(value), size = text ? 6 : 3;
    group.append(drawn("path", { d: `M${left},${at}h${size}M${right},${at}h${-size}`, stroke: "#111", fill: "none" }));
    if (text) group.append(drawn("text", { x: left - 7, y: at + 4.3, "text-anchor": "end" }, text));
  }
  group.append(drawn("rect", { x: left, y: top, width: right - left, height: bottom - top, fill: "none", stroke: "#111" }));
  const named = ({ name, unit }, exponent, attributes) => {
    const text = drawn("text", { "font-size": 14, "text-anchor": "middle", ...attributes }, name);
    if (exponent || unit) text.append(unitSvg(unit, exponent));
    group.append(text);
  };
  named(xLabel, horizontal.exponent, { x: (left + right) / 2, y: bottom + 38 });
  const middle = (top + bottom) / 2;
  named(yLabel, vertical.exponent, { transform: `translate(15,${middle}) rotate(-90)` });
  svg.append(group);
}
