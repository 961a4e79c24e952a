/** What a report shows. Plain data, so that whoever has numbers can have a report. */

/** One arm of an experiment: a row of its table. */
export interface ArmRow {
  name: string
  /** What the arm asks, such as `is it the data?`. */
  question?: string
  /** Percent, 0–100. */
  win_rate: number
  /** Standard error of `win_rate`, in points. */
  standard_error: number
  n_total: number
  /** Mean length of a reply; its unit stands in `facts`. */
  avg_length: number
  /** Nats per reply, to the reference policy. */
  kl: number
  /** Repeated phrases per reply. */
  repeats?: number
  /** Mean count per reply of each kind of defect. */
  defects: Record<string, number>
  /** Wall time. */
  seconds: number
  /** Why the arm lost or failed. */
  note?: string
}

export interface TokenReward {
  text: string
  reward: number
}

export interface Fact {
  label: string
  value: string
}

export interface ReportTable {
  title: string
  note?: string
  columns: string[]
  rows: (string | number)[][]
}

export interface Curve {
  /** Its name in metrics.jsonl. */
  metric: string
  title: string
  unit?: string
  /** A line per arm; points are [step, value]. */
  series: { name: string; points: [number, number][] }[]
}

export interface Heat {
  /** Which reward model. */
  model: string
  prompt: string
  tokens: TokenReward[]
  total: number
  note?: string
}

export interface EditSegment {
  text: string
  kind: 'kept' | 'deleted' | 'inserted'
}

export interface RedLine {
  prompt: string
  segments: EditSegment[]
  note?: string
}

export interface ReportRollout {
  arm: string
  step: number
  prompt: string
  response: string
  reward: number
  kl: number
  length: number
  tokens?: TokenReward[]
}

export interface ReportData {
  title: string
  subtitle?: string
  /** As it is to be printed. */
  createdAt: string
  arms: ArmRow[]
  facts?: Fact[]
  tables?: ReportTable[]
  curves: Curve[]
  heats: Heat[]
  edits: RedLine[]
  rollouts: ReportRollout[]
  /** YAML. */
  config: string
}
