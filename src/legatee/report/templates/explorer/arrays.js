// What the model needs of NumPy. A matrix is its rows, one after the other. Numbers are double,
// where Python's are single: what is drawn is rounded to single, so that both begin alike.
"use strict";

function matrix(rows, columns) {
  return { rows, columns, values: new Float64Array(rows * columns) };
}

function identity(size, scale) {
  const out = matrix(size, size);
  for (let r = 0; r < size; r++) out.values[r * size + r] = scale;
  return out;
}

/** A times the transpose of B, two rows of either at once: numbers loaded are used twice. */
function times(A, B) {
  const out = matrix(A.rows, B.rows), inner = A.columns, columns = B.rows;
  const a = A.values, b = B.values, c = out.values;
  for (let r = 0; r < A.rows; r += 2) {
    const last = r + 1 === A.rows, a0 = r * inner, a1 = last ? a0 : a0 + inner;
    // a symmetric product is computed below its diagonal only
    for (let k = A === B ? r : 0; k < columns; k += 2) {
      const single = k + 1 === columns, b0 = k * inner, b1 = single ? b0 : b0 + inner;
      let s00 = 0, s01 = 0, s10 = 0, s11 = 0;
      for (let i = 0; i < inner; i++) {
        const x0 = a[a0 + i], x1 = a[a1 + i], y0 = b[b0 + i], y1 = b[b1 + i];
        s00 += x0 * y0;
        s01 += x0 * y1;
        s10 += x1 * y0;
        s11 += x1 * y1;
      }
      c[r * columns + k] = s00;
      if (!single) c[r * columns + k + 1] = s01;
      if (!last) c[(r + 1) * columns + k] = s10;
      if (!last && !single) c[(r + 1) * columns + k + 1] = s11;
    }
  }
  if (A === B) mirror(out);
  return out;
}

function mirror(square) {
  const n = square.rows, values = square.values;
  for (let r = 0; r < n; r++) for (let k = 0; k < r; k++) values[r * n + k] = values[k * n + r];
}

/** The lower triangle L with L times its transpose equal to a positive definite matrix. */
function cholesky(square) {
  const n = square.rows, root = matrix(n, n), s = square.values, l = root.values;
  for (let r = 0; r < n; r++) {
    for (let k = 0; k <= r; k++) {
      let rest = s[r * n + k];
      for (let i = 0; i < k; i++) rest -= l[r * n + i] * l[k * n + i];
      l[r * n + k] = r === k ? Math.sqrt(rest) : rest / l[k * n + k];
    }
  }
  return root;
}

/** Rounded; halves go to the even number, as in Python. */
function round(x) {
  const down = Math.floor(x), rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2) ? down + 1 : down;
}

/** A number as Python's format `g` writes it. */
function general(x, digits = 6) {
  const [mantissa, power] = x.toExponential(digits - 1).split("e"), size = Math.abs(power);
  if (power >= -4 && power < digits) return String(Number(x.toPrecision(digits)));
  return `${Number(mantissa)}e${power < 0 ? "-" : "+"}${String(size).padStart(2, "0")}`;
}

const sum = (values) => values.reduce((total, x) => total + x, 0);
const mean = (values) => sum(values) / values.length;

/** Mean squared distance from the mean; `ddof` as in NumPy. */
function variance(values, ddof = 0) {
  const middle = mean(values);
  return sum(values.map((x) => (x - middle) ** 2)) / (values.length - ddof);
}
