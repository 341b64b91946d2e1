// A worker of the explorer: answers one request at a time, and drops it for a newer one.
// A request: { number, question, setting }, { number, question: "consequences", prediction } or
// { number, question: "gains", settings }; one without a question only ends the one before. Every
// answer carries the number of its request.

const PATIENCE = 25; // after which a first answer from few replicas is given [ms]
const channel = new MessageChannel();
let normals, wanted = 0, listened;
channel.port1.onmessage = () => listened();

onmessage = ({ data }) => {
  if (data.bytes) normals = unpack(data.bytes, data.shapes);
  else {
    wanted = data.number;
    if (data.question) work(data);
  }
};

/** Do what is asked, piece by piece, for as long as nothing newer is. */
async function work(request) {
  for (const found of QUESTIONS[request.question](request)) {
    if (found) postMessage({ number: request.number, ...found });
    await new Promise((resolve) => { // messages that wait are received before this one
      listened = resolve;
      channel.port2.postMessage(null);
    });
    if (wanted !== request.number) return;
  }
}

const QUESTIONS = {
  /** The prediction, and before it one from few replicas if it takes long. */
  *prediction({ setting }) {
    const begin = performance.now(), predicting = predict(setting, normals);
    for (let shown = false; ; ) {
      const { value: prediction, done } = predicting.next();
      const late = !shown && performance.now() - begin > PATIENCE;
      if (done || (late && prediction)) {
        shown = true;
        yield { prediction, done };
        if (done) return;
      } else yield;
    }
  },

  /** What follows from a prediction, the quickest first. */
  *consequences({ prediction }) {
    if (prediction.outside.length) return;
    yield { limiting_factor: yield* silently(limitingFactor(prediction, normals)) };
    yield { crossover: yield* silently(crossover(prediction, normals)) };
    yield { best_alpha: yield* silently(bestAlpha(prediction, normals)) };
  },

  /** The gain of each setting, from the fewest replicas; undefined where the theory ends. */
  *gains({ settings }) {
    for (const { place, setting } of settings) {
      const { gain } = yield* silently(predict(setting, normals, Infinity));
      yield { place, gain };
    }
  },
};

/** Run a generator to its end without passing on what it yields. */
function* silently(generator) {
  for (;;) {
    const { value, done } = generator.next();
    if (done) return value;
    yield;
  }
}
