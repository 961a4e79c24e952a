/** Operators left out of the typed surface because some arguments crash the process, each with what was seen. */

/** Name, or `name.overload`, and the reason. Found by fuzzing; `torch.unsafe.call` still reaches them. */
export const unsafeOperators: Readonly<Record<string, string>> = {
  chalf: 'gives complex32, which nothing else here speaks',
  choose_qparams_optimized: 'does not return for 2³¹ bins; of use to quantization only',
  embedding_bag: 'reads beyond its offsets when they are fewer than the bags (SIGSEGV)',
  range: 'divides by zero (SIGFPE) with a fractional step and an integer dtype; deprecated in favour of arange',
  'tensor_split.sections':
    'makes as many tensors as it is told to, 2^31 included, until memory is gone; split and chunk do not',
  'tensor_split.tensor_indices_or_sections': 'as tensor_split.sections',
}
