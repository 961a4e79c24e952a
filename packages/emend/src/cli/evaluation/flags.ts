/** What `emend evaluate` can be told. */
import type { ChatModelOptions } from '../chat-model.js'

export interface EvaluateFlags extends ChatModelOptions {
  annotations?: string
  against?: string
  modelOutputs?: string
  referenceOutputs?: string
  model?: string
  chat?: boolean
  temperature: number
  maxNewTokens: number
  n: number
  judge?: 'llm' | 'reward' | 'oracle'
  bothOrders?: boolean
  dryRun?: boolean
  world?: string
  reward?: string
  tokenizer?: string
  preferences?: string
  edits?: string
  subset?: string
  annotationsOut?: string
  leaderboard?: string
  name?: string
  report?: string
}
