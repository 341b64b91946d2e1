// Mirrors setting.py: what a setting says by what it leaves out. A setting is its fields, its
// tasks nested: { d, m, u_norm, upstream: { n, v_norm, sigma_p, m, eta, steps }, ... }.

/** Both tasks, upstream first, with their m, eta and steps filled in. */
function resolved(setting) {
  const { m, eta, steps } = setting;
  return [setting.upstream, setting.downstream].map((task) => ({
    ...task, m: task.m ?? m, eta: task.eta ?? eta, steps: task.steps ?? steps,
  }));
}

/** Filters of each sign that are inherited: alpha m, rounded, halves up. */
function inheritedFilters(setting) {
  return Math.floor(setting.alpha * resolved(setting)[1].m + 0.5 + 1e-9);
}

/** Why there is no such setting, in words; empty if there is. */
function impossible(setting) {
  const inherited = inheritedFilters(setting), there = resolved(setting)[0].m;
  if (inherited <= there) return "";
  return `alpha is ${setting.alpha}, so ${inherited} filters per sign would be inherited; ` +
    `expected at most the upstream network's ${there} (upstream.m)`;
}
