// Mirrors theory/reduced/judge.py: from what filters have learned to accuracy on fresh samples.
// Python multiplies with the basis `means_first`; here its products are running sums.

/** The inner products of filters that began as start [R, R] and learned C. */
function innerProducts(start, C, patches) {
  const filters = C.rows, n = C.columns, width = filters + n;
  const along = times(C, patches.span), across = times(C, patches.down);
  const both = matrix(filters, width);
  for (let r = 0; r < filters; r++) {
    for (let k = 0; k < filters; k++) {
      const at = r * filters + k;
      both.values[r * width + k] = start.values[at] + along.values[at];
    }
    for (let k = 0; k < n; k++) both.values[r * width + filters + k] = across.values[r * n + k];
  }
  return times(both, both);
}

/** Turn a vector [R] into the mean filter of each sign, then ever finer differences, in place. */
function meansFirst(values, begin, stride, half) {
  const turned = new Float64Array(2 * half);
  for (let side = 0; side < 2; side++) {
    let before = 0;
    for (let r = 0; r < half; r++) {
      const value = values[begin + (side * half + r) * stride];
      if (r) turned[2 * r + side] = (before - r * value) / Math.sqrt(r * (r + 1));
      before += value;
    }
    turned[side] = before / Math.sqrt(half);
  }
  for (let r = 0; r < 2 * half; r++) values[begin + r * stride] = turned[r];
}

/** A root of inner products, turned: its rows are the means and differences of `meansFirst`. */
function rootOf(products) {
  const filters = products.rows, turned = matrix(filters, filters);
  turned.values.set(products.values);
  let trace = 0;
  for (let r = 0; r < filters; r++) trace += products.values[r * filters + r];
  for (let r = 0; r < filters; r++) meansFirst(turned.values, r * filters, 1, filters / 2);
  for (let k = 0; k < filters; k++) meansFirst(turned.values, k, filters, filters / 2);
  const lift = (JITTER * trace) / filters + TINY;
  for (let r = 0; r < filters; r++) turned.values[r * filters + r] += lift;
  return cholesky(turned);
}

/** Turn rows of means and differences back into filters. */
function turnBack(turned) {
  const out = matrix(turned.rows, turned.columns);
  turnBackInto(out.values, turned.values, turned.columns, finenesses(turned.rows / 2));
  return out;
}

function turnBackInto(to, from, width, scales) {
  const half = scales.length;
  for (let side = 0; side < 2; side++) {
    for (let i = 0; i < width; i++) {
      let filter = from[side * width + i] * scales[0]; // begins as the mean one
      for (let r = half - 1; r > 0; r--) {
        const difference = from[(2 * r + side) * width + i] * scales[r];
        to[(side * half + r) * width + i] = filter - r * difference;
        filter += difference;
      }
      to[side * half * width + i] = filter;
    }
  }
}

/** One over the lengths of the mean filter and of ever finer differences, before they are 1. */
function finenesses(half) {
  return Float64Array.from({ length: half }, (_, r) => 1 / Math.sqrt(r ? r * (r + 1) : half));
}

/** What a network says of the noise of test points, and of its opposites. */
function hear(root, turned, sigma, sides, shares, tests) {
  const filters = root.rows, [most, points] = tests.shape, scales = finenesses(filters / 2);
  const there = new Float64Array(points), back = new Float64Array(points);
  const heard = new Float64Array(4 * filters), own = turned ? heard.slice() : heard;
  const weights = sides.map((side, r) => side * shares[r] * sigma);
  for (let block = 0; block < points; block += 4) {
    hearBlock(root, tests.values, block * most, heard);
    if (turned) turnBackInto(own, heard, 4, scales);
    for (let i = 0; i < 4; i++) {
      let noise = 0, odd = 0; // relu(-x) = relu(x) - x
      for (let r = 0; r < filters; r++) {
        const x = weights[r] * own[4 * r + i];
        odd += x;
        if (own[4 * r + i] > 0) noise += x;
      }
      there[block + i] = noise;
      back[block + i] = noise - odd;
    }
  }
  return { there, back };
}

/** A lower triangle times a block of four test points, two rows at once. */
function hearBlock(root, points, begin, heard) {
  const filters = root.rows, l = root.values;
  for (let r = 0; r < filters; r += 2) {
    let a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;
    const row = r * filters, below = row + filters;
    for (let k = 0, at = begin; k < r + 2; k++, at += 4) {
      const x = l[row + k], y = l[below + k];
      const p0 = points[at], p1 = points[at + 1], p2 = points[at + 2], p3 = points[at + 3];
      a0 += x * p0, a1 += x * p1, a2 += x * p2, a3 += x * p3;
      b0 += y * p0, b1 += y * p1, b2 += y * p2, b3 += y * p3;
    }
    const to = 4 * r;
    heard[to] = a0, heard[to + 1] = a1, heard[to + 2] = a2, heard[to + 3] = a3;
    heard[to + 4] = b0, heard[to + 5] = b1, heard[to + 6] = b2, heard[to + 7] = b3;
  }
}

/** The share of fresh samples that a network gets right; a point stands for four samples. */
function accuracy({ there, back }, a, sides, shares) {
  const [plus, minus] = signalResponse(a, sides, shares);
  let right = 0;
  for (let i = 0; i < there.length; i++) {
    right += positive(plus + there[i]) + positive(plus + back[i]);
    right += positive(-minus - there[i]) + positive(-minus - back[i]);
  }
  return right / (4 * there.length);
}

/** 1 for a sample that is classified right, half for one that is not classified. */
const positive = (margin) => (margin > 0 ? 1 : margin === 0 ? 0.5 : 0);
