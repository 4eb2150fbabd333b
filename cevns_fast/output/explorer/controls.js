/* A slider with a number beside it. The slider has a thousand steps of a range, linear or logarithmic; the number takes
 * any value within the bounds. Arrow keys move the slider, page keys in larger steps. */

const STEPS = 1000;

class Slider {
  constructor({ id, label, hint, bounds, onmove, ondone, format }) {
    this.bounds = bounds;
    this.format = format ?? ((value) => value);
    this.range = element("input", { type: "range", min: 0, max: STEPS, step: 1, id, "data-name": id });
    this.field = element("input", { type: "number", step: "any", "aria-label": `${hint}, value` });
    this.role = element("span", { class: "role" });
    this.box = element("div", { class: "slider" }, element("label", { for: id, title: hint }, label), this.field,
                       this.range, this.role);
    this.range.setAttribute("aria-label", hint);
    this.range.addEventListener("input", () => {
      this.value = this.rounded(this.scale.valueOf(Number(this.range.value) / STEPS));
      this.show();
      onmove(this.value);
    });
    this.range.addEventListener("change", () => ondone());
    this.field.addEventListener("change", () => {
      const given = Number(this.field.value);
      if (this.field.value !== "" && Number.isFinite(given)) this.value = this.inBounds(given);
      this.set(this.value);
      onmove(this.value);
      ondone();
    });
  }

  /* Four digits, so that what is written is what is evaluated; zero is a step of its own. */
  rounded(value) {
    const step = this.scale.log ? 0 : this.scale.length / STEPS;
    return Math.abs(value) < step / 2 ? 0 : this.inBounds(Number(value.toPrecision(4)));
  }

  inBounds(value) {
    const [low, high] = this.bounds;
    return Math.min(Math.max(value, low ?? -Infinity), high ?? Infinity);
  }

  setRange(low, high, log) {
    this.scale = new Scale(low, high, log, 0, 1);
    this.set(this.value ?? low);
  }

  set(value) {
    this.value = value;
    const part = this.scale.log && value <= 0 ? 0 : this.scale.part(value);
    this.range.value = String(Math.round(Math.min(Math.max(part, 0), 1) * STEPS));
    this.show();
  }

  show() {
    if (document.activeElement !== this.field || Number(this.field.value) !== this.value)
      this.field.value = String(Number(this.format(this.value)));
    this.range.setAttribute("aria-valuetext", numberText(this.value, 4));
  }
}
