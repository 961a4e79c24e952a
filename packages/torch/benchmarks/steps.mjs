/** A training step (forward, backward, clipping, AdamW) of a decoder: ours beside the same model in Python. */
import { AdamW, clipGradNorm, randomUniform, scope, tensor, torch } from '../dist/index.js'
import { createDecoder, decoderConfig } from './decoder.mjs'
import { median, seconds } from './timing.mjs'

const sizes = [
  { layers: 4, width: 256, inner: 688, heads: 8, vocab: 4096, batch: 16, length: 64, n: 3 },
  { layers: 12, width: 512, inner: 1376, heads: 8, vocab: 8192, batch: 4, length: 128, n: 1 },
]

/** A model of these sizes, and a function that trains it by one step and gives the loss. */
export function trainer({ layers, width, inner, heads, vocab, batch, length }) {
  const shape = { vocabSize: vocab, hiddenSize: width, intermediateSize: inner, layers, heads, maxPositions: length }
  const model = createDecoder(decoderConfig(shape), 0)
  const parameters = model.parameters()
  const optimizer = new AdamW(parameters, { lr: 1e-4 })
  const ids = Int32Array.from(randomUniform([1], batch * (length + 1)), u => Math.floor(u * vocab))
  const all = tensor(ids, { shape: [batch, length + 1], dtype: 'int64' })
  const inputs = all.narrow(1, 0, length).contiguous()
  const targets = all.narrow(1, 1, length).reshape([-1])
  const step = () =>
    scope(() => {
      optimizer.zeroGrad()
      const logits = model.logits(model.hidden(inputs)).view([-1, vocab])
      const loss = torch.cross_entropy_loss(logits, targets)
      loss.backward()
      clipGradNorm(parameters.values(), 1)
      optimizer.step()
      return loss.item()
    })
  const dispose = () => {
    optimizer.dispose()
    model.dispose()
  }
  return { model, step, size: model.size, dispose }
}

export async function benchmarkSteps(peer, { rounds = 9 } = {}) {
  const rows = []
  for (const { n, ...size } of sizes) {
    const { step, size: parameters, dispose } = trainer(size)
    const mine = []
    const theirs = []
    step()
    if (peer) await peer.ask({ step: size, n: 1 })
    for (let round = 0; round < rounds; round++) {
      mine.push(seconds(() => Array.from({ length: n }, step)) / n)
      if (peer) theirs.push((await peer.ask({ step: size, n })).seconds / n)
    }
    dispose()
    const tokens = size.batch * size.length
    rows.push({
      decoder: `${size.layers} layers × ${size.width}, ${(parameters / 1e6).toFixed(1)}M parameters`,
      tokens,
      'ours, ms': Number((median(mine) * 1e3).toFixed(1)),
      'tokens/s': Math.round(tokens / median(mine)),
      ...(peer && {
        'Python, ms': Number((median(theirs) * 1e3).toFixed(1)),
        'Python / ours': Number((median(theirs) / median(mine)).toFixed(2)),
      }),
    })
  }
  console.log(`A training step: forward, backward, clipping, AdamW; median of ${rounds}, in turn`)
  console.table(rows)
  return rows
}
