// Mirrors theory/reduced/table.py: the table that every solution draws from, and the shapes of
// things. Reduced: { n, d, kept, sigma, norm, eta, steps, m, sigma_0 }. World: { u_norm, v_norms,
// inherited }. FILTERS, SAMPLES and all other constants are set by Python, ahead of this file.

/** The normals by name, from their float32 bytes laid end to end; test points in blocks of four. */
function unpack(bytes, shapes) {
  const normals = {};
  let begin = 0;
  for (const [name, shape] of shapes) {
    const values = new Float32Array(bytes, begin, shape.reduce((total, x) => total * x, 1));
    normals[name] = { shape, values };
    begin += values.byteLength;
  }
  normals.tests = inBlocks(normals.tests);
  return normals;
}

/** Lay test points [filter, point] out as [block of four, filter, four], as they are met. */
function inBlocks({ shape: [filters, points], values }) {
  const blocks = new Float64Array(filters * points);
  for (let r = 0; r < filters; r++) {
    for (let i = 0; i < points; i++) {
      blocks[((i >> 2) * filters + r) * 4 + (i & 3)] = values[r * points + i];
    }
  }
  return { shape: [filters, points], values: blocks };
}
