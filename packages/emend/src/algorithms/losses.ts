/** The losses that carry a gradient. Each returns a masked *sum*: the caller divides by the tokens of the whole batch. */
import { type Tensor, torch } from '@emend/torch'

/**
 * PPO's clipped policy loss (Schulman et al. 2017, arXiv 1707.06347, eq. 7), summed over response tokens.
 *
 * @param logprobs [B, T] log π(a_t), differentiable
 * @param oldLogprobs [B, T] under the policy that sampled
 * @param advantages [B, T]
 * @param mask [B, T] true at response tokens
 */
export function policyLoss(
  logprobs: Tensor,
  oldLogprobs: Tensor,
  advantages: Tensor,
  mask: Tensor,
  clip: number,
): Tensor {
  // A padded place has no old log-probability: its ratio is made 1 before it is exponentiated, so that no ∞·0 arises.
  const ratio = logprobs.sub(oldLogprobs).mul(mask).exp()
  const unclipped = ratio.mul(advantages)
  const clipped = ratio.clamp(1 - clip, 1 + clip).mul(advantages)
  return torch.minimum(unclipped, clipped).mul(mask).sum().neg()
}

/**
 * The clipped value loss ½·max((v − R)², (v_clipped − R)²), summed over response tokens.
 *
 * @param values [B, T] V(s_t), differentiable
 * @param oldValues [B, T] when the rollout was made
 * @param returns [B, T]
 */
export function valueLoss(values: Tensor, oldValues: Tensor, returns: Tensor, mask: Tensor, clip: number): Tensor {
  const clipped = oldValues.add(values.sub(oldValues).clamp(-clip, clip))
  const worse = torch.maximum(values.sub(returns).square(), clipped.sub(returns).square())
  return worse.mul(mask).sum().mul(0.5)
}

/**
 * DPO (Rafailov et al. 2023, arXiv 2305.18290, eq. 7): −log σ(β[Δ_chosen − Δ_rejected]), Δ = log π(y) − log π_ref(y).
 *
 * @param chosen [B] Σ_t log π of the chosen responses, differentiable; `rejected` likewise
 * @param refChosen [B] the same under the reference
 * @returns [B] loss per pair
 */
export function dpoLoss(
  chosen: Tensor,
  rejected: Tensor,
  refChosen: Tensor,
  refRejected: Tensor,
  beta: number,
): Tensor {
  const margin = chosen.sub(refChosen).sub(rejected.sub(refRejected))
  return torch.log_sigmoid(margin.mul(beta)).neg()
}
