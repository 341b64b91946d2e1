// The explorer's page: sliders in, words and a map out. Nothing is computed here: workers do.

const REST = 150; // without a change after which the rest is computed [ms]
const root = document.currentScript.closest(".explorer");
const find = (name) => root.querySelector(`[data-part="${name}"]`);
const read = (name) => JSON.parse(find(name).textContent);
const { start, maps, shapes } = read("data");
const sliders = [...root.querySelectorAll("input[type=range]")];
const stops = new Map(sliders.map((slider) => [slider.name, JSON.parse(slider.dataset.stops)]));
const symbols = new Map(sliders.map((slider) => [slider.name, slider.dataset.symbol]));
const fields = { ...start };
const view = new MapView(find("plot"));
let answering, following, mapping; // workers: one, one, some
let number = 0, prediction, resting, shownMap, gains, about;

/** The setting that the sliders stand for. */
function settingOf(fields) {
  const setting = { upstream: {}, downstream: {} };
  for (const [name, value] of Object.entries(fields)) {
    const [task, own] = name.split(".");
    if (own) setting[task][own] = value;
    else setting[name] = value;
  }
  return setting;
}

/** Start a worker that knows the model and its table. */
function hire(listen) {
  const worker = new Worker(hire.address);
  worker.onmessage = ({ data }) => listen(data);
  worker.onerror = (error) => say(["No prediction:", `this browser cannot: ${error.message}.`]);
  worker.postMessage({ bytes: hire.bytes, shapes });
  return worker;
}

/** Start every worker and ask for a first answer; when the explorer is seen for the first time. */
function begin() {
  const source = new Blob([find("model").textContent], { type: "text/javascript" });
  hire.address = URL.createObjectURL(source);
  const letters = atob(find("normals").textContent.trim());
  hire.bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0)).buffer;
  answering = hire(showAnswer);
  following = hire(showConsequence);
  const free = Math.min(Math.max((navigator.hardwareConcurrency ?? 3) - 2, 1), 4);
  mapping = Array.from({ length: free }, () => hire(showGain));
  change();
}

/** Show where the sliders stand: their values, the command, the place on the map. */
function show() {
  for (const slider of sliders) showSlider(slider);
  find("command").textContent = command(fields, start);
  markMap();
}

/** Answer for where the sliders stand now, and leave everything else until they rest. */
function change() {
  show();
  if (!answering) return; // not yet begun
  number += 1;
  find("answer").setAttribute("aria-busy", "true");
  answering.postMessage({ number, question: "prediction", setting: settingOf(fields) });
  following.postMessage({ number }); // all cores are for the answer
  for (const worker of mapping) worker.postMessage({ number });
  clearTimeout(resting);
}

function showSlider(slider) {
  const value = fields[slider.name], unit = slider.dataset.unit;
  const text = value === null ? "as above" : `${counted(value)}${unit && ` ${unit}`}`;
  slider.value = stops.get(slider.name).indexOf(value);
  slider.setAttribute("aria-valuetext", text);
  slider.labels[0].parentElement.querySelector("output").textContent = text;
}

function say([head, rest]) {
  const bold = document.createElement("b");
  bold.textContent = head;
  find("sentence").replaceChildren(bold, ` ${rest}`);
}

function showAnswer(answer) {
  if (answer.number !== number) return;
  prediction = answer.prediction;
  const { verdict, gain, error, outside } = prediction, known = !outside.length;
  say(sentence(prediction, symbols));
  find("answer").className = verdict;
  for (const name of ["scratch", "zero_shot", "inherited"]) {
    const accuracy = prediction[name], spread = prediction[`${name}_spread`], row = find(name);
    row.querySelector("output").textContent = known ? percent(accuracy) : "–";
    row.querySelector("small").textContent = known ? `± ${points(spread)}` : "";
    row.style.setProperty("--accuracy", known ? accuracy : 0.5);
    row.style.setProperty("--spread", known ? spread : 0);
  }
  find("gain").textContent = known
    ? `${points(gain, true)} points, computed to ± ${points(error)}` +
      (answer.done ? "" : " so far; more exact in a moment")
    : "Unknown.";
  for (const name of ["limiting_factor", "crossover", "best_alpha"]) {
    find(name).textContent = known ? "…" : "Unknown.";
  }
  if (answer.done) resting = setTimeout(rest, REST);
}

/** The sliders rest: compute what follows from the prediction, and the map. */
function rest() {
  find("answer").setAttribute("aria-busy", "false"); // now a screen reader may read it
  following.postMessage({ number, question: "consequences", prediction });
  drawMap();
}

function showConsequence({ number: asked, limiting_factor, crossover, best_alpha }) {
  if (asked !== number) return;
  if (limiting_factor) find("limiting_factor").textContent = `${capital(limiting_factor)}.`;
  if (crossover !== undefined) {
    find("crossover").textContent = catchingUp(prediction, crossover);
  }
  if (best_alpha !== undefined) {
    find("best_alpha").textContent = `${counted(100 * best_alpha)}% of the filters.`;
  }
}

const capital = (words) => words[0].toUpperCase() + words.slice(1);

// --- the map ------------------------------------------------------------------------------------

const chosenMap = () => maps[root.querySelector("input[type=radio]:checked").value];

/** Show where the sliders stand on the map, and the axes that it has. */
function markMap() {
  const { x, y } = chosenMap();
  view.mark(
    placeOf(x.values, fields[x.name]), placeOf(y.values, fields[y.name]),
    x.values.length, y.values.length,
  );
  if (shownMap === chosenMap()) return;
  shownMap = chosenMap();
  for (const [which, axis, edge] of [["x", x, "left"], ["y", y, "bottom"]]) {
    find(`${which}-name`).textContent = axis.label;
    find(`${which}-ticks`).replaceChildren(...axis.ticks.map((tick) => {
      const mark = document.createElement("span");
      mark.textContent = tick >= 10000 ? `10${powers(Math.log10(tick))}` : counted(tick);
      mark.style[edge] = `${(100 * (placeOf(axis.values, tick) + 0.5)) / axis.values.length}%`;
      return mark;
    }));
  }
}

const powers = (power) => [...String(power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");

/** Compute what is not yet known of the map: all, if anything but its own two fields changed. */
function drawMap() {
  const { x, y } = chosenMap(), columns = x.values.length, rows = y.values.length;
  const now = JSON.stringify([x.name, y.name, { ...fields, [x.name]: 0, [y.name]: 0 }]);
  if (now !== about) {
    about = now;
    gains = new Gains(columns, rows);
    view.begin(columns, rows);
  }
  const unknown = coarseFirst(columns, rows).filter((place) => !gains.has(place));
  const settings = unknown.map(([column, row]) => {
    const own = { [x.name]: x.values[column], [y.name]: y.values[row] };
    return { place: [column, row], setting: settingOf({ ...fields, ...own }) };
  });
  for (const [k, worker] of mapping.entries()) {
    const own = settings.filter((_, at) => at % mapping.length === k);
    worker.postMessage({ number, question: "gains", settings: own });
  }
}

function showGain({ number: asked, place, gain }) {
  if (asked !== number) return;
  gains.set(place, gain);
  showGain.frame ??= requestAnimationFrame(() => {
    showGain.frame = undefined;
    view.draw(gains);
    find("map-words").textContent = mapWords();
  });
}

/** What the map shows, for those who do not see it. */
function mapWords() {
  if (!gains.done) return "The map is being computed.";
  const all = [...gains.known.values()];
  const share = (test) => `${Math.round((100 * all.filter(test).length) / all.length)}%`;
  return `Inheriting gains in ${share((gain) => gain > NEGLIGIBLE)} of the map, costs in ` +
    `${share((gain) => gain < -NEGLIGIBLE)}; the theory does not cover ${share(Number.isNaN)}.`;
}

// --- what the reader does -----------------------------------------------------------------------

for (const slider of sliders) {
  slider.addEventListener("input", () => {
    fields[slider.name] = stops.get(slider.name)[slider.value];
    change();
  });
}

view.plot.addEventListener("click", (event) => {
  const box = view.plot.getBoundingClientRect(), { x, y } = chosenMap();
  const go = (axis, share) => {
    const at = share * axis.values.length - 0.5;
    fields[axis.name] = nearest(stops.get(axis.name), axis.values, at);
  };
  go(x, (event.clientX - box.left) / box.width);
  go(y, (box.bottom - event.clientY) / box.height);
  change();
});

/** The stop of a slider that is nearest to a place on an axis. */
function nearest(stops, values, at) {
  const distances = stops.map((stop) => Math.abs(placeOf(values, stop) - at));
  return stops[distances.indexOf(Math.min(...distances))];
}

for (const choice of root.querySelectorAll("input[type=radio]")) {
  choice.addEventListener("change", () => {
    change();
  });
}

find("reset").addEventListener("click", () => {
  Object.assign(fields, start);
  change();
});

find("copy").addEventListener("click", async () => {
  const text = find("command");
  getSelection().selectAllChildren(text); // so that it can be copied by hand, too
  try {
    await navigator.clipboard.writeText(text.textContent);
    find("copied").textContent = "Copied.";
  } catch {
    find("copied").textContent = "Selected: copy it with your keyboard.";
  }
});

show();
new IntersectionObserver(([entry], observer) => {
  if (!entry.isIntersecting) return;
  observer.disconnect();
  begin();
}).observe(root);
