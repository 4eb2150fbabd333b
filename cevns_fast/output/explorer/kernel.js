/* The likelihood: the library's C, compiled to WebAssembly, on numbers that came with the page. */

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/* Doubles as `numbers.py` has packed them: compressed, all first bytes together, all second bytes together, ... */
async function numbersOf(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const count = planes.length / 8, bytes = new Uint8Array(planes.length);
  for (let plane = 0; plane < 8; plane++)
    for (let i = 0, from = plane * count; i < count; i++) bytes[8 * i + plane] = planes[from + i];
  return new Float64Array(bytes.buffer);
}

async function kernelOf(base64) {
  const { instance } = await WebAssembly.instantiate(bytesOf(base64));
  instance.exports._initialize?.();
  return instance.exports;
}

/* Memory of the kernel for some numbers; it may grow, and views of it then go stale. */
class Room {
  constructor(kernel, count) {
    this.kernel = kernel;
    this.count = count;
    this.at = kernel.malloc(8 * Math.max(count, 1));
    if (!this.at) throw new Error("no memory for the likelihood");
  }
  get doubles() { return new Float64Array(this.kernel.memory.buffer, this.at, this.count); }
  get integers() { return new Int32Array(this.kernel.memory.buffer, this.at, this.count); }
  fill(values) { this.doubles.set(values); return this.at; }
  close() { this.kernel.free(this.at); }
}

/* A handle of the C interface. */
class Likelihood {
  static of(kernel, numbers) {
    const room = new Room(kernel, numbers.length);
    room.fill(numbers);
    const handle = kernel.cevns_fast_create(room.at, numbers.length);
    room.close();
    return new Likelihood(kernel, handle);
  }

  constructor(kernel, handle) {
    if (!handle) throw new Error("the likelihood was refused");
    this.kernel = kernel;
    this.handle = handle;
    this.dimension = kernel.cevns_fast_dimension(handle);
    this.bins = kernel.cevns_fast_bins(handle);
    this.nuisances = kernel.cevns_fast_nuisances(handle);
    this.theta = new Room(kernel, this.dimension);
    this.first = new Room(kernel, Math.max(this.bins, this.nuisances, this.dimension));
    this.second = new Room(kernel, this.bins);
  }

  /* Of some experiments, with other widths of the nuisances. */
  variant(chosen, widths) {
    const flags = new Room(this.kernel, chosen.length), sizes = new Room(this.kernel, widths.length);
    flags.integers.set(chosen.map(Number));
    sizes.fill(widths);
    const handle = this.kernel.cevns_fast_variant(this.handle, flags.at, sizes.at);
    flags.close();
    sizes.close();
    return new Likelihood(this.kernel, handle);
  }

  chi2(theta) {
    return this.kernel.cevns_fast_chi2(this.handle, this.theta.fill(theta), theta.length, 0);
  }

  /* Of points that follow each other in one array. */
  batch(thetas) {
    const points = thetas.length / this.dimension;
    const given = new Room(this.kernel, thetas.length), found = new Room(this.kernel, points);
    given.fill(thetas);
    this.kernel.cevns_fast_chi2_batch(this.handle, given.at, points, this.dimension, found.at);
    const chi2 = found.doubles.slice();
    given.close();
    found.close();
    return chi2;
  }

  /* The signal of all bins, and the expectation with the nuisances that fit best. */
  counts(theta) {
    this.kernel.cevns_fast_counts(this.handle, this.theta.fill(theta), theta.length, this.first.at, this.second.at);
    return { signal: this.first.doubles.slice(0, this.bins), expectation: this.second.doubles.slice() };
  }

  pulls(theta) {
    this.kernel.cevns_fast_pulls(this.handle, this.theta.fill(theta), theta.length, this.first.at);
    return this.first.doubles.slice(0, this.nuisances);
  }

  /* The nearest minimum downhill, where `free` parameters may move. */
  minimum(theta, free) {
    this.first.integers.set(theta.map((_, i) => (free.includes(i) ? 0 : 1)));
    const chi2 = this.kernel.cevns_fast_minimise(this.handle, this.theta.fill(theta), theta.length, this.first.at);
    return { chi2, theta: Array.from(this.theta.doubles) };
  }

  close() {
    for (const room of [this.theta, this.first, this.second]) room.close();
    this.kernel.cevns_fast_close(this.handle);
  }
}
