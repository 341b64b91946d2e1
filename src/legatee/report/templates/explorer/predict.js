// Mirrors theory/predict.py: the accuracies that a setting will have, and what follows from them.
// A prediction has the names of Python's; what costs more is asked of functions, one by one.

/** Predict a setting. On its way it yields predictions from fewer replicas, undefined at first. */
function* predict(setting, normals, tolerance = TOLERANCE) {
  const reasons = impossible(setting) ? [impossible(setting)] : outside(setting);
  if (reasons.length) return { setting, verdict: "unknown", outside: reasons };
  const [first, second, world] = reduced(setting);
  const solving = solve(first, second, world, tolerance, normals);
  for (;;) {
    const { value: accuracies, done } = solving.next();
    const enough = accuracies.length >= 4; // two pairs, for a spread
    const found = enough ? summary(setting, first, second, accuracies) : undefined;
    if (done) return found;
    yield found;
  }
}

/** What accuracies [replica, 3] say of a setting: means and spreads over seeds. */
function summary(setting, first, second, accuracies) {
  const [scratch, zero_shot, inherited] = [0, 1, 2].map((k) => mean(column(accuracies, k)));
  const [even, odd] = halves(accuracies);
  // Fluctuations of finitely many samples are larger in a reduced task, which has fewer; what v2
  // does by chance, the odd half of zero-shot, has its true size.
  const bySamples = [0, 1, 2].map((k) => {
    const own = variance(column(even, k), 1) + mean(column(odd, k).map((x) => x ** 2));
    return (second.kept / second.n) * own;
  });
  const byChance = (first.kept / first.n) * variance(column(even, 1), 1) +
    mean(column(odd, 1).map((x) => x ** 2));
  const gains = even.map((pair) => pair[2] - pair[0]);
  const gain = inherited - scratch, error = Math.sqrt(variance(gains, 1) / gains.length);
  return {
    setting,
    scratch,
    zero_shot,
    inherited,
    scratch_spread: Math.sqrt(bySamples[0]),
    zero_shot_spread: Math.sqrt(byChance),
    inherited_spread: Math.sqrt(bySamples[2]),
    gain,
    error,
    verdict: verdict(gain, error),
    outside: [],
  };
}

const column = (rows, k) => rows.map((row) => row[k]);

/** Mean and half difference of each antithetic pair. */
function halves(accuracies) {
  const pairs = accuracies.length / 2, even = [], odd = [];
  for (let p = 0; p < pairs; p++) {
    const one = accuracies[2 * p], other = accuracies[2 * p + 1];
    even.push(one.map((x, k) => (x + other[k]) / 2));
    odd.push(one.map((x, k) => (x - other[k]) / 2));
  }
  return [even, odd];
}

/** `inherit`, `scratch` (negative transfer) or `either`. */
function verdict(gain, error) {
  if (Math.abs(gain) <= Math.max(NEGLIGIBLE, 2 * error)) return "either";
  return gain > 0 ? "inherit" : "scratch";
}

/** The inheritance ratio, of tenths, with the best inherited accuracy; the least of equals. */
function* bestAlpha({ setting }, normals) {
  const [first, second] = resolved(setting), found = [];
  for (const alpha of ALPHAS.filter((alpha) => alpha * second.m <= first.m)) {
    const { inherited } = yield* predict({ ...setting, alpha }, normals);
    if (inherited !== undefined) found.push({ alpha, inherited }); // the theory may end
  }
  const best = Math.max(...found.map((one) => one.inherited));
  return found.find((one) => one.inherited >= best - NEGLIGIBLE).alpha;
}

/** Downstream samples with which scratch gets as far as inheriting does; null if it does not. */
function* crossover({ setting, inherited, gain }, normals) {
  const scratchWith = function* (n) { // NaN if outside
    const downstream = { ...setting.downstream, n };
    const { scratch = NaN } = yield* predict({ ...setting, downstream, alpha: 0 }, normals);
    return scratch;
  };
  let low = setting.downstream.n, high = low, scratch;
  if (gain <= 0) return low;
  while ((scratch = yield* scratchWith(high)) < inherited) {
    [low, high] = [high, 2 * high];
    if (high > MOST_SAMPLES) return null;
  }
  while (high - low > Math.max(1, 0.01 * low)) {
    const middle = Math.floor((low + high) / 2), there = yield* scratchWith(middle);
    if (there < inherited) low = middle;
    else [high, scratch] = [middle, there];
  }
  return scratch >= inherited ? high : null;
}

/** What keeps inheriting from doing better, in words. */
function* limitingFactor({ setting, scratch, inherited: here }, normals) {
  if (scratch >= ENOUGH) return "the downstream data are already enough";
  let words = "nothing upstream would change much", best = here + NEGLIGIBLE;
  for (const [factor, better] of Object.entries(doubled(setting))) {
    const { inherited = NaN } = yield* predict(better, normals);
    if (inherited > best) [words, best] = [factor, inherited];
  }
  return words;
}

/** Settings in which one of the paper's three factors is twice as favourable. */
function doubled(setting) {
  const { u_norm, upstream, downstream } = setting;
  const signal = u_norm ** 2 + downstream.v_norm ** 2;
  const universal = Math.min(2 * u_norm ** 2, signal) || signal / 20; // of none, a twentieth
  const v_norm = Math.sqrt(Math.max(signal - universal, 0));
  const quiet = { ...upstream, sigma_p: upstream.sigma_p / Math.sqrt(2) };
  return {
    "the universal signal is weak": {
      ...setting, u_norm: Math.sqrt(universal), downstream: { ...downstream, v_norm },
    },
    "the upstream noise is strong": { ...setting, upstream: quiet },
    "the upstream samples are few": { ...setting, upstream: { ...upstream, n: 2 * upstream.n } },
  };
}
