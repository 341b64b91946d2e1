// The map: the gain over two fields at once, computed from coarse to fine.

const STRIDES = [4, 2, 1]; // every fourth place of both axes first, at last every one
const STRONGEST = 0.2; // a gain in full colour [fraction]

/** Where a value lies between an axis's values, counted in steps of the axis. */
function placeOf(values, value) {
  const above = values.findIndex((x) => x >= value);
  if (above === 0) return 0;
  if (above < 0) return values.length - 1;
  const below = values[above - 1];
  return above - 1 + (value - below) / (values[above] - below);
}

/** The places [column, row] of a map in the order of their computation. */
function coarseFirst(columns, rows) {
  const places = [], seen = new Set();
  for (const stride of STRIDES) {
    for (let row = 0; row < rows; row += stride) {
      for (let column = 0; column < columns; column += stride) {
        if (!seen.has(row * columns + column)) places.push([column, row]);
        seen.add(row * columns + column);
      }
    }
  }
  return places;
}

/** Gains by place, as far as they are known; a place not yet computed shows a coarser one's. */
class Gains {
  constructor(columns, rows) {
    Object.assign(this, { columns, rows, known: new Map() });
  }

  set([column, row], gain) {
    this.known.set(row * this.columns + column, gain ?? NaN); // NaN where the theory ends
  }

  has([column, row]) {
    return this.known.has(row * this.columns + column);
  }

  at(column, row) {
    for (const stride of [...STRIDES].reverse()) {
      const at = (row - (row % stride)) * this.columns + column - (column % stride);
      if (this.known.has(at)) return this.known.get(at);
    }
    return undefined;
  }

  get done() {
    return this.known.size === this.columns * this.rows;
  }
}

/** The line on which the gain is 0, as an SVG path between the middles of places. */
function zeroLine(gains) {
  const pieces = [];
  for (let row = 0; row + 1 < gains.rows; row++) {
    for (let column = 0; column + 1 < gains.columns; column++) {
      const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([x, y]) => {
        return { x: column + x + 0.5, y: row + y + 0.5, gain: gains.at(column + x, row + y) };
      });
      // where nothing makes a difference, the sign of the gain is chance
      const sizes = corners.map(({ gain }) => Math.abs(gain));
      if (!(Math.max(...sizes) > NEGLIGIBLE)) continue;
      const crossings = corners.flatMap((one, k) => {
        const other = corners[(k + 1) % 4];
        if (one.gain < 0 === other.gain < 0) return []; // no gain at all is no cost
        const part = one.gain / (one.gain - other.gain);
        return [`${one.x + part * (other.x - one.x)} ${one.y + part * (other.y - one.y)}`];
      });
      for (let k = 0; k + 1 < crossings.length; k += 2) {
        pieces.push(`M${crossings[k]}L${crossings[k + 1]}`);
      }
    }
  }
  return pieces.join("");
}

/** Draws a map's gains: one square for each place, rows from the bottom up. */
class MapView {
  constructor(plot) {
    this.plot = plot;
    this.squares = plot.querySelector(".squares");
    this.signs = plot.querySelector(".signs");
    this.zero = plot.querySelector(".zero");
    this.marker = plot.querySelector(".marker");
  }

  /** Begin a map of so many places. */
  begin(columns, rows) {
    const svg = this.plot.querySelector("svg");
    svg.setAttribute("viewBox", `0 0 ${columns} ${rows}`);
    const squares = Array.from({ length: columns * rows }, (_, at) => {
      const square = document.createElementNS(svg.namespaceURI, "rect");
      square.setAttribute("x", at % columns);
      square.setAttribute("y", rows - 1 - Math.floor(at / columns));
      square.setAttribute("width", 1);
      square.setAttribute("height", 1);
      return square;
    });
    this.squares.replaceChildren(...squares);
  }

  draw(gains) {
    const { columns, rows } = gains, signs = [];
    for (const [at, square] of [...this.squares.children].entries()) {
      const column = at % columns, row = Math.floor(at / columns), gain = gains.at(column, row);
      square.setAttribute("class", Number.isNaN(gain) ? "outside" : gain < 0 ? "minus" : "plus");
      const strength = Math.min(Math.abs(gain ?? 0) / STRONGEST, 1) ** 0.7 || 0;
      square.style.setProperty("--strength", `${(100 * strength).toFixed(1)}%`);
      if (gain < -NEGLIGIBLE) signs.push(`M${column + 0.3} ${rows - row - 0.5}h0.4`);
    }
    this.signs.setAttribute("d", signs.join(""));
    this.zero.setAttribute("d", zeroLine(gains));
    this.zero.setAttribute("transform", `matrix(1 0 0 -1 0 ${rows})`);
  }

  /** Mark a place, counted in steps of either axis. */
  mark(x, y, columns, rows) {
    this.marker.style.left = `${(100 * (x + 0.5)) / columns}%`;
    this.marker.style.bottom = `${(100 * (y + 0.5)) / rows}%`;
  }
}
