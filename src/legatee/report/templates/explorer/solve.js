// Mirrors theory/reduced/solve.py: the upstream, the scratch and the inheriting network, replica
// by replica. Where Python trains all upstream networks first, this trains each when it is needed
// first: an answer from few replicas is there early. Every `yield` is a place where whoever runs
// this may listen for something newer.

/** Accuracies of scratch, zero-shot and inherited [replica, 3]; two replicas in turn are a pair.
 *  Yields what it has after every pair, and nothing in between. */
function* solve(first, second, world, tolerance, normals) {
  const followed = follow(first, second, world), accuracies = [], inherited = [];
  while (accuracies.length < MOST) {
    const replica = accuracies.length, b = (replica >> 1) % UPSTREAM;
    if (world.inherited) inherited[b] ??= handOver(first, second, followed, world, normals, b);
    accuracies.push(runReplica(second, world, followed, inherited[b], normals, replica));
    const done = accuracies.length;
    if (done >= FEWEST && done % 8 === 0 && largestError(accuracies) < tolerance) break;
    yield done % 2 ? [] : accuracies;
  }
  return accuracies;
}

/** Choose the filters to follow; few stand for many, but never for none. */
function follow(first, second, world) {
  const here = Math.min(second.m, FILTERS), there = Math.min(first.m, FILTERS);
  const share = world.inherited / second.m;
  let heirs = world.inherited ? here : 0;
  if (0 < world.inherited && world.inherited < second.m) {
    heirs = Math.min(Math.max(round((here * world.inherited) / second.m), 1), here - 1);
  }
  const source = new Int32Array(2 * here).fill(-1);
  const shares = [new Float64Array(2 * here).fill(1 / here), new Float64Array(2 * here)];
  for (let r = 0; r < 2 * here; r++) {
    if (r % here < heirs) {
      source[r] = (r % here) + (r < here ? 0 : there);
      shares[1][r] = share / heirs;
    } else shares[1][r] = (1 - share) / (here - heirs);
  }
  return { sides: signs(2 * here), shares, source, fresh: second.sigma_0 ** 2 * second.d };
}

/** The sign of each filter. */
function signs(filters) {
  return Float64Array.from({ length: filters }, (_, r) => (2 * r < filters ? 1 : -1));
}

/** Train an upstream network; return what its filters hold of u, of v1, and of all else. */
function upstream(task, world, normals, replica) {
  const filters = 2 * Math.min(task.m, FILTERS);
  const pair = replica >> 1, sign = 1 - 2 * (replica % 2);
  const patches = drawPatches(task, normals, pair, sign, filters);
  const start = identity(filters, Math.sqrt(task.sigma_0 ** 2 * task.d));
  const scale = sign * task.sigma_0;
  const alongU = startOf(normals, pair, 0, filters).map((x) => scale * x);
  const alongV = startOf(normals, pair, 1, filters).map((x) => scale * x);
  const a = alongU.map((x, r) => x * world.u_norm + alongV[r] * world.v_norms[0]);
  const before = a.slice(), shares = new Float64Array(filters).fill(2 / filters);
  const imbalance = (sign * normals.balance.values[pair]) / Math.sqrt(task.n);
  const B = times(start, patches.across);
  const C = descend(B, a, patches.gram, signs(filters), shares, imbalance, task);
  for (let r = 0; r < filters; r++) {
    const learned = task.norm > 0 ? (a[r] - before[r]) / task.norm : 0;
    alongU[r] += learned * world.u_norm;
    alongV[r] += learned * world.v_norms[0];
  }
  return [alongU, alongV, innerProducts(start, C, patches)];
}

/** What filters hold of a direction by chance, in units of their initial scale. */
function startOf(normals, pair, direction, filters) {
  const [, directions, most] = normals.start.shape;
  const begin = (pair * directions + direction) * most;
  return Float64Array.from(normals.start.values.subarray(begin, begin + filters));
}

/** Train one of the upstream networks, and keep what the downstream task sees of it. */
function handOver(first, second, followed, world, normals, b) {
  const { source, sides, shares } = followed, filters = source.length;
  const [u, v, products] = upstream(first, world, normals, b);
  const noise = identity(filters, followed.fresh), seen = identity(filters, followed.fresh);
  const known = new Float64Array(filters);
  for (let r = 0; r < filters; r++) {
    if (source[r] < 0) continue;
    known[r] = world.u_norm * u[source[r]];
    for (let k = 0; k < filters; k++) {
      if (source[k] < 0) continue;
      const product = products.values[source[r] * products.columns + source[k]];
      noise.values[r * filters + k] = product;
      seen.values[r * filters + k] = product + v[source[r]] * v[source[k]];
    }
  }
  const root = rootOf(seen), byChance = turnBack(rootOf(noise));
  byChance.values.forEach((x, i, values) => (values[i] = x / Math.sqrt(first.d)));
  const heard = hear(root, true, second.sigma, sides, shares[1], normals.tests); // zero-shot
  return { known, byChance, start: turnBack(root), heard };
}

/** Train a scratch and an inheriting network on the same samples, and judge them. */
function runReplica(task, world, followed, inherited, normals, replica) {
  const { sides, shares, source } = followed, filters = source.length;
  const pair = (UPSTREAM + replica) >> 1, sign = 1 - 2 * (replica % 2);
  const patches = drawPatches(task, normals, pair, sign, filters);
  const imbalance = (sign * normals.balance.values[pair]) / Math.sqrt(task.n);
  const train = (start, a, share) => {
    const B = times(start, patches.across);
    const C = descend(B, a, patches.gram, sides, share, imbalance, task);
    const root = rootOf(innerProducts(start, C, patches));
    return accuracy(hear(root, true, task.sigma, sides, share, normals.tests), a, sides, share);
  };
  const fresh = identity(filters, Math.sqrt(followed.fresh));
  const scale = sign * task.sigma_0 * Math.sqrt(task.norm);
  const a = startOf(normals, pair, 0, filters).map((x) => scale * x);
  if (!world.inherited) { // then the inheriting network is the scratch network
    const heard = hear(fresh, false, task.sigma, sides, shares[0], normals.tests);
    const zeroShot = accuracy(heard, a, sides, shares[0]);
    const scratch = train(fresh, a, shares[0]);
    return [scratch, zeroShot, scratch];
  }
  const { known, byChance, start, heard } = inherited;
  const ownA = a.slice(), chance = startOf(normals, pair, 1, filters);
  for (let r = 0; r < filters; r++) {
    if (source[r] < 0) continue;
    let along = 0;
    for (let k = 0; k < filters; k++) along += byChance.values[r * filters + k] * chance[k];
    ownA[r] = known[r] + sign * world.v_norms[1] * along;
  }
  const zeroShot = accuracy(heard, ownA, sides, shares[1]);
  return [train(fresh, a, shares[0]), zeroShot, train(start, ownA, shares[1])];
}

/** The largest standard error of the mean accuracies, from antithetic pairs. */
function largestError(accuracies) {
  const [even] = halves(accuracies);
  const errors = [0, 1, 2].map((k) => {
    return Math.sqrt(variance(even.map((pair) => pair[k])) / (even.length - 1));
  });
  return Math.max(...errors);
}
