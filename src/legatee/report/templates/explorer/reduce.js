// Mirrors theory/reduced/reduce.py: from a setting to its reduced model, where there is one.

/** The reduced tasks, upstream first, and what they have in common. */
function reduced(setting) {
  const [first, second] = resolved(setting), inherited = inheritedFilters(setting);
  const few = inherited === second.m;
  return [
    reduceTask(setting, first, kept(setting, first, first.m <= FEW)),
    reduceTask(setting, second, kept(setting, second, few || second.m <= FEW)),
    {
      u_norm: setting.u_norm,
      v_norms: [first.v_norm, second.v_norm],
      sigma_0: setting.sigma_0,
      inherited,
    },
  ];
}

/** In which respects the reduced model does not hold, in words; none where it holds. */
function outside(setting) {
  const reasons = [];
  for (const name of ["noise_signal_correlation", "label_noise", "weight_decay"]) {
    if (setting[name]) reasons.push(`${name} is ${setting[name]}; the theory is for 0`);
  }
  if (setting.inherit !== "random") {
    reasons.push(`inherit is ${setting.inherit}; the theory is for random`);
  }
  const [first, second] = resolved(setting), tasks = { upstream: first, downstream: second };
  if (!inheritedFilters(setting)) delete tasks.upstream;
  for (const [name, task] of Object.entries(tasks)) {
    if (task.n < FEWEST_SAMPLES) {
      reasons.push(`${name}.n is ${task.n}; the theory is for ${FEWEST_SAMPLES} and more`);
    }
    const beside = (2 * Math.min(task.m, FILTERS)) / Math.min(task.n, SAMPLES_COUNTED);
    const least = task.n * (1 + beside);
    if (setting.d < least) {
      reasons.push(
        `d is ${setting.d}; with this ${name}.n the theory is for ${round(least)} up`,
      );
    }
  }
  return reasons;
}

/** Reduce one task. */
function reduceTask(setting, task, kept) {
  const norm = setting.u_norm ** 2 + task.v_norm ** 2;
  const { n, sigma_p, eta, steps, m } = task;
  return { n, d: setting.d, kept, sigma: sigma_p, norm, eta, steps, m };
}

/** How many samples a task is reduced to: there must be room for them beside the filters. */
function kept(setting, task, counted) {
  const room = (2 * Math.min(task.m, FILTERS)) / Math.max(setting.d / task.n - 1, TINY_ROOM);
  const most = counted ? SAMPLES_COUNTED : Math.max(SAMPLES, Math.ceil(room));
  return 2 * Math.max(Math.floor(Math.min(task.n, most, SAMPLES_COUNTED) / 2), 1);
}
