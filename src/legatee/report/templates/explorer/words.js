// How the explorer says things.

const MINUS = "\u2212";
const percent = (share) => `${(100 * share).toFixed(1)}%`;
const counted = (value) => value.toLocaleString("en-US", { maximumSignificantDigits: 6 });

/** A gain or a spread in points, with its sign if asked for. */
function points(share, signed = false) {
  const size = Math.abs(100 * share).toFixed(1);
  if (!signed || size === "0.0") return size;
  return (share < 0 ? MINUS : "+") + size;
}

/** What is predicted, in one sentence: what to do, and why in numbers; symbols by field. */
function sentence({ setting, scratch, inherited, gain, verdict, outside }, symbols) {
  const part = `${counted(100 * setting.alpha)}% of the upstream network's filters`;
  switch (verdict) {
    case "inherit":
      return ["Inherit:", `starting from ${part} should get ${percent(inherited)} of new ` +
        `samples right, ${points(gain)} points more than training from scratch.`];
    case "scratch":
      return ["Train from scratch:", `starting from ${part} should cost ${points(gain)} points: ` +
        `${percent(inherited)} of new samples right instead of ${percent(scratch)}. This is ` +
        "negative transfer."];
    case "either":
      return ["Either:", `starting from ${part} should make no difference that counts: ` +
        `${percent(inherited)} of new samples right, ${percent(scratch)} from scratch.`];
    default:
      return ["No prediction:", "the theory does not cover this setting, because " +
        `${outside.join("; and ").replace(/[\w.]*\w/g, (word) => symbols.get(word) ?? word)}.`];
  }
}

/** When scratch catches up, in words. */
function catchingUp({ setting, gain }, crossover) {
  const here = setting.downstream.n;
  if (gain <= 0) return "Scratch is as good already.";
  if (crossover === null) return "With no number of samples that the theory covers.";
  return `With ${counted(crossover)} downstream samples: ${counted(crossover - here)} more than ` +
    `the ${counted(here)} here.`;
}

/** What one types for the same prediction: what differs from the setting it starts from. */
function command(fields, start) {
  const own = Object.entries(fields).filter(([name, value]) => {
    return value !== null && value !== start[name];
  });
  return ["legatee predict", ...own.map(([name, value]) => `${name}=${value}`)].join(" ");
}
