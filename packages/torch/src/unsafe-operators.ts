/** Operators left out of the typed surface because some arguments crash the process, each with what was seen. */

/** Name, or `name.overload`, and the reason. Found by fuzzing; `torch.unsafe.call` still reaches them. */
export const unsafeOperators: Readonly<Record<string, string>> = {
  adaptive_avg_pool3d: 'does not return for an output of 2⁴⁰ × 1 × 0',
  adaptive_max_pool3d: 'as adaptive_avg_pool3d',
  binomial: 'does not return for counts or probabilities that are not finite',
  chalf: 'gives complex32, which nothing else here speaks',
  choose_qparams_optimized: 'does not return for 2³¹ bins; of use to quantization only',
  combinations: 'does not return for r = 2³¹ - 1',
  embedding_bag: 'reads beyond its offsets when they are fewer than the bags (SIGSEGV)',
  linalg_eigvals:
    'LAPACK reads a matrix with NaN or infinity out of bounds (SIGSEGV), in Python too; linalg_eig checks',
  lu_unpack: 'takes pivots of any shape and dtype, and writes past its own memory (heap corruption)',
  max_pool1d: 'does not return for a kernel of 2⁵³ - 1; max_pool2d does',
  native_batch_norm:
    'reads statistics of another size than the channels (SIGSEGV), divides by none (SIGFPE); batch_norm checks',
  range: 'divides by zero (SIGFPE) with a fractional step and an integer dtype; deprecated in favour of arange',
  special_chebyshev_polynomial_t: 'as special_laguerre_polynomial_l',
  special_chebyshev_polynomial_u: 'as special_laguerre_polynomial_l',
  special_chebyshev_polynomial_v: 'as special_laguerre_polynomial_l',
  special_chebyshev_polynomial_w: 'as special_laguerre_polynomial_l',
  special_hermite_polynomial_h: 'as special_laguerre_polynomial_l',
  special_hermite_polynomial_he: 'as special_laguerre_polynomial_l',
  special_laguerre_polynomial_l: 'takes time in proportion to its degree: hours for 2³¹',
  special_legendre_polynomial_p: 'as special_laguerre_polynomial_l',
  special_shifted_chebyshev_polynomial_t: 'as special_laguerre_polynomial_l',
  special_shifted_chebyshev_polynomial_u: 'as special_laguerre_polynomial_l',
  special_shifted_chebyshev_polynomial_v: 'as special_laguerre_polynomial_l',
  special_shifted_chebyshev_polynomial_w: 'as special_laguerre_polynomial_l',
  'tensor_split.tensor_indices_or_sections':
    'makes as many tensors as a tensor tells it to, 2³¹ included, until memory is gone',
}
