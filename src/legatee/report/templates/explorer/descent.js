// Mirrors theory/reduced/descent.py: gradient descent on a reduced task. Where Python trains
// networks that share their patches in one product, this trains one network after the other.

/** The noise patches of a task: gram [n, n], span [filter, n], rest [n, n], and transposes. */
function drawPatches(task, normals, pair, sign, filters) {
  const n = task.kept, sigma = Math.fround(task.sigma);
  const freedom = Math.max((task.d * n) / task.n - filters, n);
  const [, rows, most] = normals.span.shape;
  const span = matrix(filters, n), across = matrix(n, filters);
  for (let r = 0; r < filters; r++) {
    for (let i = 0; i < n; i++) {
      const x = Math.fround(sigma * sign * normals.span.values[(pair * rows + r) * most + i]);
      span.values[r * n + i] = across.values[i * filters + r] = x;
    }
  }
  const rest = matrix(n, n), down = matrix(n, n);
  for (let i = 0; i < n; i++) {
    const row = (pair * most + i) * most;
    for (let k = 0; k < i; k++) {
      const x = Math.fround(sigma * sign * normals.rest.values[row + k]);
      rest.values[i * n + k] = down.values[k * n + i] = x;
    }
    const part = 2 / (9 * (freedom - i)); // chi-square: nearly the cube of a normal variable
    const cube = (1 - part + sign * normals.rest.values[row + i] * Math.sqrt(part)) ** 3;
    const length = Math.fround(sigma * Math.sqrt(Math.max((freedom - i) * cube, 0)));
    rest.values[i * n + i] = down.values[i * n + i] = length;
  }
  const gram = times(across, across), elsewhere = times(rest, rest);
  for (let i = 0; i < n * n; i++) gram.values[i] += elsewhere.values[i];
  return { gram, span, across, down };
}

/** What a network says of the signal patch and of its negative. */
function signalResponse(a, sides, shares) {
  let plus = 0, minus = 0;
  for (let r = 0; r < a.length; r++) {
    if (a[r] > 0) plus += sides[r] * shares[r] * a[r];
    else minus -= sides[r] * shares[r] * a[r];
  }
  return [plus, minus];
}

/** Train a network in place, from B [filter, n] and a [filter]; return its coefficients. */
function descend(B, a, gram, sides, shares, imbalance, task) {
  const n = task.kept, C = matrix(B.rows, n), weights = new Float64Array(n);
  for (let i = 0; i < n; i++) weights[i] = Math.fround(2 * i < n ? 1 + imbalance : imbalance - 1);
  const rate = task.eta / (n * task.m), pushes = matrix(n, n);
  let taken = 0, time = 0;
  while (time < task.steps - 0.5) {
    let step = taken < EXACT_STEPS ? 1 : Math.max(1, GROWTH * time);
    step = Math.min(step, task.steps - time);
    const q = respond(B, a, sides, shares, weights, rate * step);
    scaleRows(gram, q, pushes);
    learn(B, C, sides, q, pushes);
    learnSignal(a, sides, q, weights, task.norm);
    time += step;
    taken += 1;
  }
  return C;
}

/** How far a step pushes along each sample. */
function respond(B, a, sides, shares, weights, rate) {
  const n = B.columns, values = B.values, q = new Float64Array(n);
  const [plus, minus] = signalResponse(a, sides, shares);
  for (let i = 0; i < n; i++) q[i] = weights[i] > 0 ? plus : minus;
  for (let r = 0; r < B.rows; r++) {
    const share = sides[r] * shares[r];
    for (let i = 0; i < n; i++) {
      const h = values[r * n + i];
      if (h > 0) q[i] += share * h;
    }
  }
  for (let i = 0; i < n; i++) {
    q[i] = (rate * weights[i]) / (1 + Math.exp(weights[i] > 0 ? q[i] : -q[i]));
  }
  return q;
}

/** The rows of a Gram matrix, each times what it is pushed by. */
function scaleRows(gram, q, out) {
  const n = q.length, from = gram.values, to = out.values;
  for (let i = 0; i < n; i++) {
    const scale = q[i];
    for (let at = i * n, end = at + n; at < end; at++) to[at] = scale * from[at];
  }
}

/** Let every filter learn the samples that it is active on; four columns at once. */
function learn(B, C, sides, q, pushes) {
  const n = B.columns, b = B.values, c = C.values, push = pushes.values;
  const active = new Int32Array(n);
  for (let r = 0; r < B.rows; r++) {
    const row = r * n, side = sides[r];
    let found = 0;
    for (let i = 0; i < n; i++) {
      if (b[row + i] > 0) {
        active[found++] = i * n;
        c[row + i] += side * q[i];
      }
    }
    let k = 0;
    for (; k + 3 < n; k += 4) {
      let p0 = 0, p1 = 0, p2 = 0, p3 = 0;
      for (let f = 0; f < found; f++) {
        const at = active[f] + k;
        p0 += push[at], p1 += push[at + 1], p2 += push[at + 2], p3 += push[at + 3];
      }
      const to = row + k;
      b[to] += side * p0, b[to + 1] += side * p1, b[to + 2] += side * p2, b[to + 3] += side * p3;
    }
    for (; k < n; k++) {
      for (let f = 0; f < found; f++) b[row + k] += side * push[active[f] + k];
    }
  }
}

/** Let every filter learn the signal from the samples of the label that it is active on. */
function learnSignal(a, sides, q, weights, norm) {
  let shown = 0, hidden = 0;
  for (let i = 0; i < q.length; i++) {
    if (weights[i] > 0) shown += q[i];
    else if (weights[i] < 0) hidden -= q[i];
  }
  for (let r = 0; r < a.length; r++) {
    if (a[r] > 0) a[r] += sides[r] * shown * norm;
    else if (a[r] < 0) a[r] += sides[r] * hidden * norm;
  }
}
