// Mirrors theory/reduced/reduce.py: from a setting to its reduced model, where there is one.

/** The reduced tasks, upstream first, and what they have in common. */
function reduced(setting) {
  const [first, second] = resolved(setting), inherited = inheritedFilters(setting);
  const unit = second.sigma_p, few = inherited === second.m;
  return [
    reduceTask(setting, first, kept(setting, first, first.m <= FEW), unit),
    reduceTask(setting, second, kept(setting, second, few || second.m <= FEW), unit),
    {
      u_norm: setting.u_norm / unit,
      v_norms: [first.v_norm / unit, second.v_norm / unit],
      inherited,
    },
  ];
}

/** In which respects the reduced model does not hold, in words; none where it holds. */
function outside(setting) {
  const reasons = [];
  for (const name of ["noise_signal_correlation", "label_noise", "weight_decay", "l2_sp"]) {
    if (setting[name]) reasons.push(`${name} is ${general(setting[name])}; the theory is for 0`);
  }
  if (setting.inherit !== "random") {
    reasons.push(`inherit is ${setting.inherit}; the theory is for random`);
  }
  const [first, second] = resolved(setting), tasks = { upstream: first, downstream: second };
  if (!inheritedFilters(setting)) delete tasks.upstream;
  for (const [name, task] of Object.entries(tasks)) {
    reasons.push(...outsideOfTask(setting, name, task));
  }
  const noises = Object.values(tasks).map((task) => task.sigma_p);
  const signals = Object.values(tasks).map((task) => task.v_norm);
  const apart = Math.max(...noises, setting.u_norm, ...signals) / Math.min(...noises);
  if (apart > FARTHEST) {
    reasons.push(
      `the largest signal or noise level is ${general(apart, 3)} times the least noise level; ` +
        `the theory is for ${general(FARTHEST)} at most`,
    );
  }
  return reasons;
}

/** In which respects the reduced model does not hold for one task. */
function outsideOfTask(setting, name, task) {
  const reasons = [];
  if (task.n < FEWEST_SAMPLES) {
    reasons.push(`${name}.n is ${task.n}; the theory is for ${FEWEST_SAMPLES} and more`);
  }
  const beside = (2 * Math.min(task.m, FILTERS)) / Math.min(task.n, SAMPLES_COUNTED);
  const least = task.n * (1 + beside);
  if (setting.d < least) {
    reasons.push(`d is ${setting.d}; with this ${name}.n the theory is for ${round(least)} up`);
  }
  const rate = growthRate(setting, task);
  if (!(SLOWEST <= rate && rate <= FASTEST)) {
    reasons.push(
      `eta is ${general(task.eta)}, with which ${name} margins grow by ${general(rate, 3)} ` +
        `a step; the theory is for ${general(SLOWEST)} to ${general(FASTEST)}`,
    );
  }
  const start = setting.sigma_0 * reach(setting, task);
  const most = Math.min(LARGE, largestStart(setting, task));
  if (start > most) {
    reasons.push(
      `sigma_0 is ${general(setting.sigma_0)}, with which ${name} filters respond by ` +
        `${general(start, 4)} before they are trained; with this ${name}.m the theory is for ` +
        `${general(most, 4)} at most`,
    );
  }
  return reasons;
}

/** Up to which start a few filters can stand for many. */
function largestStart(setting, task) {
  const excess = Math.sqrt(Math.max(1 / FILTERS - 1 / task.m, 0));
  return excess ? (BY_CHANCE * margin(setting, task, task.steps)) / excess : Infinity;
}

/** The norm of a sample, to which a fresh filter responds by sigma_0 times as much. */
function reach(setting, task) {
  return Math.sqrt(task.sigma_p ** 2 * setting.d + signalSquared(setting, task));
}

/** Reduce one task. */
function reduceTask(setting, task, kept, unit) {
  const small = (SMALL * growthRate(setting, task)) / reach(setting, task);
  return {
    n: task.n,
    d: setting.d,
    kept,
    sigma: task.sigma_p / unit,
    norm: signalSquared(setting, task) / unit ** 2,
    eta: task.eta * unit ** 2,
    steps: task.steps,
    m: task.m,
    sigma_0: Math.max(setting.sigma_0, small) * unit,
  };
}

/** How many samples a task is reduced to: there must be room for them beside the filters. */
function kept(setting, task, counted) {
  const room = (2 * Math.min(task.m, FILTERS)) / Math.max(setting.d / task.n - 1, TINY_ROOM);
  const most = counted ? SAMPLES_COUNTED : Math.max(SAMPLES, Math.ceil(room));
  return 2 * Math.max(Math.floor(Math.min(task.n, most, SAMPLES_COUNTED) / 2), 1);
}
