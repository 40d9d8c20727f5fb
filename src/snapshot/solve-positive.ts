/**
 * Solves `matrix * x = right` for a symmetric, positive definite matrix by Cholesky's method.
 *
 * `matrix` is by rows and is kept. Rounding may leave a pivot at or below 0; a least one stands in.
 */
export function solvePositive(matrix: Float64Array, right: Float64Array): Float64Array {
  const size = right.length;
  const lower = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let rest = matrix[row * size + column];
      for (let k = 0; k < column; k++) rest -= lower[row * size + k] * lower[column * size + k];
      lower[row * size + column] =
        row === column ? Math.sqrt(Math.max(rest, 1e-12)) : rest / lower[column * size + column];
    }
  }
  const x = right.slice();
  for (let row = 0; row < size; row++) {
    for (let k = 0; k < row; k++) x[row] -= lower[row * size + k] * x[k];
    x[row] /= lower[row * size + row];
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let k = row + 1; k < size; k++) x[row] -= lower[k * size + row] * x[k];
    x[row] /= lower[row * size + row];
  }
  return x;
}
