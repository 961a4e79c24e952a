/** The guard before the answers of a server: its verdicts in headers, bodies and the log, none of them with a text of the user's. */
import { oneLine } from '../errors.js'
import type { Guard, GuardVerdict, Turn } from '../guards/guard.js'
import { inWords, REFUSAL } from '../guards/guarded.js'
import { CallError } from '../providers/call-error.js'
import { Answer } from './answer.js'
import { ApiError } from './api-error.js'

/** Asks about requests. */
export interface AnswerGuard {
  /** @throws ApiError 503 where the guard gives no verdict: nothing is answered unguarded */
  check(turns: readonly Turn[], signal: AbortSignal): Promise<GuardVerdict>
}

/** A guard that tells its verdicts to the log. */
export function answerGuard(guard: Guard, log: (line: string) => void): AnswerGuard {
  return {
    async check(turns, signal) {
      try {
        const verdict = await guard.check(turns, { signal })
        log(`guard: ${verdictHeader(verdict)}`)
        return verdict
      } catch (error) {
        const failed = error instanceof CallError ? error : undefined
        // What a provider says may quote what it was asked: its kind is enough.
        if (!signal.aborted) log(`guard: no verdict (${failed ? `call: ${failed.failure}` : oneLine(error)})`)
        throw new ApiError(503, 'the guard gave no verdict, so that there is no answer', {
          code: 'guard_failed',
          headers: failed?.retryable ? { 'retry-after': '1' } : {},
        })
      }
    },
  }
}

/** What a client is told: not what was found, which would teach how to hide it. */
export function toldVerdict({ refused, why, cost }: GuardVerdict) {
  const { calls, input_tokens, output_tokens, seconds } = cost
  return { verdict: refused ? 'refused' : 'passed', why, calls, input_tokens, output_tokens, seconds }
}

/** As a header of the structured kind (RFC 9651): an item and its parameters. */
export function verdictHeader(verdict: GuardVerdict): string {
  const { verdict: item, why, ...numbers } = toldVerdict(verdict)
  const parameters = Object.entries(numbers).map(([name, value]) => `${name}=${value}`)
  return [item, `why=${why.replace(' ', '-')}`, ...parameters].join(';')
}

/** A refusal as the answer to a request of so many choices, in pieces as a model would give them. */
export function refusalAnswer(choices: number): Answer {
  const answer = new Answer(choices, Number.POSITIVE_INFINITY, () => {})
  for (let index = 0; index < choices; index++) {
    for (const text of inWords(REFUSAL)) answer.push({ index, text })
    answer.push({ index, text: '', finish: 'content_filter' })
  }
  return answer
}
