// Trains and saves the adapters in made-here, which make.py then applies by PEFT. Run after `npm run build`:
//   node train.mjs && python make.py
import { fileURLToPath } from 'node:url'
import { AdamW, setNumThreads } from '@emend/torch'
import { loadModel, saveAdapter } from 'emend/checkpoints'
import { adaptedDecoder, adaptedScalar, logprobs, pack, rewardsAt } from 'emend/models'

setNumThreads(1)
const here = fileURLToPath(new URL('.', import.meta.url))
const prompts = [Int32Array.of(5, 9, 33), Int32Array.of(8)]
const responses = [Int32Array.of(2, 60, 7, 7, 18), Int32Array.of(1, 50, 22, 3)]

/** A few steps on `loss`, then the adapter's folder. */
function train(name, on, model, loss) {
  const optimizer = new AdamW(model.trainable(), { lr: 0.03, weightDecay: 0 })
  for (let step = 0; step < 8; step++) {
    optimizer.zeroGrad()
    loss(model).backward()
    optimizer.step()
  }
  saveAdapter(`${here}/made-here/${name}`, model, `../../../llama/${on}`)
}

const load = async name => (await loadModel(`${here}/../llama/${name}`)).model
const batch = pack(prompts, responses)
train('causal', 'tied', adaptedDecoder(await load('tied'), { rank: 3, alpha: 6, targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'up_proj', 'gate_proj', 'down_proj'] }, 7), model =>
  logprobs(model, batch, { temperature: 1 }).logprobs.sum().neg(),
)
train('scalar', 'untied', adaptedScalar(await load('untied'), { rank: 2, alpha: 4, rslora: true, targets: ['v_proj', 'mlp.down_proj'] }, 8), model =>
  rewardsAt(model, batch).sub(1).square().sum(),
)
