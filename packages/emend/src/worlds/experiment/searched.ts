/**
 * What `emend search` chose for each PPO arm: the best of the same points (search.ts) by win rate on 400 validation prompts,
 * seed 100, which no table uses. All that was tried (Oracle-PPO at two of the three points), in percent ± standard error over prompts:
 *
 * Oracle-PPO     lr 3e-4  kl 0.1  64.9 ± 2.3
 * Oracle-PPO     lr 6e-4  kl 0.1  71.2 ± 2.1
 * PPO            lr 3e-4  kl 0.1  54.5 ± 2.3
 * PPO            lr 3e-4  kl 0.2  60.1 ± 2.2
 * PPO            lr 6e-4  kl 0.1  55.2 ± 2.3
 * FG-PPO         lr 3e-4  kl 0.1  54.6 ± 2.3
 * FG-PPO         lr 3e-4  kl 0.2  53.9 ± 2.3
 * FG-PPO         lr 6e-4  kl 0.1  52.8 ± 2.3
 * FG-token-PPO   lr 3e-4  kl 0.1  38.8 ± 2.3
 * FG-token-PPO   lr 3e-4  kl 0.2  51.4 ± 2.3
 * FG-token-PPO   lr 6e-4  kl 0.1  41.1 ± 2.3
 * FG-token-mean  lr 3e-4  kl 0.1  42.8 ± 2.3
 * FG-token-mean  lr 3e-4  kl 0.2  50.0 ± 2.3
 * FG-token-mean  lr 6e-4  kl 0.1  41.9 ± 2.3
 */
export const SEARCHED: Readonly<Record<string, { readonly learning_rate: number; readonly kl_coef: number }>> = {
  'Oracle-PPO': { learning_rate: 6e-4, kl_coef: 0.1 },
  PPO: { learning_rate: 3e-4, kl_coef: 0.2 },
  'FG-PPO': { learning_rate: 3e-4, kl_coef: 0.1 },
  'FG-token-PPO': { learning_rate: 3e-4, kl_coef: 0.2 },
  'FG-token-mean': { learning_rate: 3e-4, kl_coef: 0.2 },
}
