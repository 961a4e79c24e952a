/** From rewards and values to advantages. What carries no gradient is ragged: one array a response, no padding, no mask. */

export interface Advantages {
  /** [T] */
  readonly advantages: Float32Array
  /** [T] advantages + values: what the value model is trained on. */
  readonly returns: Float32Array
}

/**
 * Generalised advantage estimation (Schulman et al. 2015, arXiv 1506.02438, eq. 16) over one response.
 *
 * δ_t = r_t + γ V(s_{t+1}) − V(s_t);  A_t = δ_t + γλ A_{t+1}. After the last token there is no state: V = 0, whether the
 * response ended or was cut off.
 *
 * @param rewards [T] r_t, paid after a_t
 * @param values [T] V(s_t), read before a_t is consumed
 */
export function gae(rewards: ArrayLike<number>, values: ArrayLike<number>, gamma: number, lambda: number): Advantages {
  const length = rewards.length
  const advantages = new Float32Array(length)
  const returns = new Float32Array(length)
  let advantage = 0
  for (let t = length - 1; t >= 0; t--) {
    const value = values[t] as number
    const next = t + 1 < length ? (values[t + 1] as number) : 0
    const delta = (rewards[t] as number) + gamma * next - value
    advantage = delta + gamma * lambda * advantage
    advantages[t] = advantage
    returns[t] = advantage + value
  }
  return { advantages, returns }
}

/**
 * Whitens a batch of ragged rows by the mean and the *biased* variance over all its tokens: (x − μ)/√(σ² + 1e-8).
 *
 * @param keepMean adds μ back afterwards, as reward whitening wants; advantage whitening removes it
 */
export function whiten(rows: readonly Float32Array[], o: { keepMean: boolean }): Float32Array[] {
  const n = rows.reduce((total, row) => total + row.length, 0)
  let sum = 0
  for (const row of rows) for (const x of row) sum += x
  const mean = sum / n
  let squares = 0
  for (const row of rows) for (const x of row) squares += (x - mean) ** 2
  const scale = 1 / Math.sqrt(squares / n + 1e-8)
  const shift = o.keepMean ? mean : 0
  return rows.map(row => row.map(x => (x - mean) * scale + shift))
}
