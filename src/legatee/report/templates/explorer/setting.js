// Mirrors setting.py, theory/quantities.py and theory/growth.py: what follows from a setting at
// once. A setting has the fields of Python's, its tasks nested: { d, m, u_norm, upstream: { n,
// v_norm, sigma_p, m, eta, steps }, ... }.

/** Both tasks, upstream first, with their m, eta and steps filled in. */
function resolved(setting) {
  const { m, eta, steps } = setting;
  return [setting.upstream, setting.downstream].map((task) => ({
    ...task, m: task.m ?? m, eta: task.eta ?? eta, steps: task.steps ?? steps,
  }));
}

/** Squared norm of a task's signal. */
const signalSquared = (setting, task) => setting.u_norm ** 2 + task.v_norm ** 2;

/** How fast the training margins of a task grow at first. */
function growthRate(setting, task) {
  const perSample = (task.sigma_p ** 2 * setting.d) / task.n + signalSquared(setting, task);
  return (task.eta * perSample) / (2 * task.m);
}

/** The training margin that a task has reached. */
function margin(setting, task, step) {
  const push = growthRate(setting, task) * step;
  let x = Math.log1p(push); // above the root of a convex function: Newton's method comes down
  for (let k = 0; k < NEWTON_STEPS; k++) x -= (x + Math.expm1(x) - push) / (1 + Math.exp(x));
  return x;
}

/** Filters of each sign that are inherited: alpha m, rounded, halves up. */
function inheritedFilters(setting) {
  return Math.floor(setting.alpha * resolved(setting)[1].m + 0.5 + 1e-9);
}

/** Why there is no such setting, in words; empty if there is. */
function impossible(setting) {
  const inherited = inheritedFilters(setting), there = resolved(setting)[0].m;
  if (inherited <= there) return "";
  return `alpha is ${general(setting.alpha)}, so ${inherited} filters per sign would be ` +
    `inherited; expected at most the upstream network's ${there} (upstream.m)`;
}
