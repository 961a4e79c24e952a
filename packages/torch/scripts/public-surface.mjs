// Which operators are public, and for each other one why not: the generator, the fuzz and FEATURES.md agree on this.

/** Whole families: a pattern of names and the reason. */
const families = [
  [/^_/, 'private'],
  [/backward/, 'called by autograd, unchecked'],
  [
    /sparse|csr|csc|bsr|bsc|coalesce|^ccol_|^crow_|^(col_|row_)?indices$|^values$|^to_dense|^dense_dim$|^hspmm|^sspaddmm|^smm$/,
    'sparse layouts',
  ],
  [/quant|^q_|^int_repr|qscheme|^fake_|^dequantize/, 'quantized tensors'],
  [
    /mkldnn|cudnn|miopen|fbgemm|nnpack|^mps|vulkan|xnnpack|^thnn|cufft|^batch_norm_(stats|elemt|gather|update)|^native_batch_norm_legit/,
    'one back end’s own',
  ],
  [/nested|jagged/, 'nested tensors'],
  [/^sym_|^is_(vulkan|mkldnn|quantized|nested)|functorch|^lift|^to_padded|_copy$/, 'for tracing and functionalization'],
  [/^(align_|refine_names|rename|names$|unflatten_dense|flatten_dense)/, 'named tensors'],
  [/^(gru|lstm|rnn_tanh|rnn_relu|quantized)/, 'recurrent networks: hidden layouts are not checked'],
]

/** Single names. */
const single = {
  set_: 'makes a tensor share another’s storage unchecked',
  set_data: 'replaces storage unchecked',
  data: 'Tensor.data() is a typed array here',
  item: 'written by hand',
  to: 'written by hand, beside the operator’s own overloads',
  resize_: 'leaves memory undefined',
  resize_as_: 'leaves memory undefined',
  numel: 'a property of Tensor',
  record_stream: 'streams',
  from_file: 'mapFile reads files',
  pin_memory: 'needs an accelerator; copies are explicit',
  is_pinned: 'needs an accelerator',
  retains_grad: 'bookkeeping of autograd',
  output_nr: 'bookkeeping of autograd',
  unsafe_chunk: 'breaks autograd’s checks',
  unsafe_split: 'breaks autograd’s checks',
  unsafe_split_with_sizes: 'breaks autograd’s checks',
  segment_reduce: 'offsets are not checked',
}

/** Why the overload is not public as a function or method, or null when it is. */
export function refusal(schema, unsafe, variant = null) {
  const { name, overload } = schema
  const full = overload ? `${name}.${overload}` : name
  if (unsafe.includes(name) || unsafe.includes(full)) return 'crashes for some arguments'
  const family = families.find(([pattern]) => pattern.test(name))
  if (family) return family[1]
  if (single[name]) return single[name]
  if (/(^|_)out$|^out_|grad_input|names|dimname|generator|Dimname|storage|^source_/i.test(overload))
    return 'out=, names, generators or storages'
  if (schema.arguments.some(a => a.written && a.keywordOnly)) return 'out='
  if (schema.arguments.some(a => a.kind === 'unsupported' && a.fallback === null && !a.optional))
    return 'an argument without JavaScript form'
  if (schema.arguments.some(a => a.kind === 'unsupported' && a.fallback === null))
    return 'a required generator or layout'
  if (schema.results.some(r => r.kind === 'unsupported')) return 'a result without JavaScript form'
  if (variant === 'method' && !schema.arguments.some(a => a.name === 'self')) return 'no self'
  return null
}
