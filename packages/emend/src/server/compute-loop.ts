/** The computing thread: one engine for all requests, messages taken between its steps. */
import type { MessagePort } from 'node:worker_threads'
import { EmendError, oneLine } from '../errors.js'
import { GenerationEngine } from '../generation/index.js'
import type { LanguageModel } from '../language-model.js'
import type { RewardModel } from '../rewards/reward-model.js'
import type { FromCompute, GenerateTask, SampleEvent, ScoreTask, ToCompute } from './protocol.js'
import { SampleText } from './sample-text.js'

export class ComputeLoop {
  readonly #port: MessagePort
  readonly #model: LanguageModel
  readonly #reward: RewardModel | undefined
  readonly #maxRows: number | undefined
  #engine: GenerationEngine
  /** The engine's number of each task that is not finished. */
  readonly #tasks = new Map<number, number>()
  #scores: ScoreTask[] = []
  #events: SampleEvent[] = []
  #turning = false

  /** Says on the port that it is ready, and works on what comes until it is told to close. */
  constructor(port: MessagePort, model: LanguageModel, o: { reward?: RewardModel; maxRows?: number } = {}) {
    this.#port = port
    this.#model = model
    this.#reward = o.reward
    this.#maxRows = o.maxRows
    this.#engine = this.#newEngine()
    const reward = o.reward && {
      context: o.reward.scalar.config.maxPositions,
      vocabulary: o.reward.scalar.config.vocabSize,
      tokenizer: o.reward.tokenizer,
      eos: o.reward.scalar.config.eos,
    }
    port.on('message', (message: ToCompute) => this.#receive(message))
    this.#send({
      type: 'ready',
      context: this.#context,
      vocabulary: model.decoder.vocabulary,
      tokenizer: { source: model.tokenizer.source, config: model.tokenizer.config },
      ...(reward && { reward }),
    })
  }

  /** Tokens that prompt and reply can have together. */
  get #context(): number {
    return Math.min(this.#model.decoder.config.maxPositions, this.#engine.maxTokens)
  }

  #newEngine(): GenerationEngine {
    return new GenerationEngine(this.#model.decoder, this.#maxRows === undefined ? {} : { maxRows: this.#maxRows })
  }

  #receive(message: ToCompute): void {
    if (message.type === 'close') {
      this.#close()
      return
    }
    if (message.type === 'generate') this.#generate(message)
    else if (message.type === 'score') this.#scores.push(message)
    else {
      const number = this.#tasks.get(message.task)
      if (number !== undefined) this.#engine.cancel(number)
      this.#tasks.delete(message.task)
      this.#scores = this.#scores.filter(({ task }) => task !== message.task)
    }
    this.#wake()
  }

  #generate({ task, stop, topLogprobs, n, maxNewTokens, ...request }: GenerateTask): void {
    const { tokenizer, eos } = this.#model
    const samples = Array.from({ length: n }, () => new SampleText(tokenizer, stop, topLogprobs !== undefined))
    let unfinished = n
    const tell = (sample: number, event: Omit<SampleEvent, 'task' | 'sample'>) => {
      if (event.text || event.tokens?.length || event.finish) this.#events.push({ task, sample, ...event })
    }
    try {
      const number = this.#engine.add({
        ...request,
        n,
        eos,
        maxNewTokens: Math.min(maxNewTokens, this.#context - request.prompt.length),
        ...(topLogprobs ? { topLogprobs } : {}),
        onToken: ({ sample, id, logprob, top = [] }) => {
          const text = samples[sample]!
          if (eos.includes(id)) return undefined
          tell(sample, text.push({ id, logprob, top }))
          return text.stopped ? 'stop' : undefined
        },
        onFinish: (sample, { finish, ids }) => {
          tell(sample, {
            ...samples[sample]!.end(),
            finish: finish === 'length' ? 'length' : 'stop',
            generated: ids.length,
          })
          if (--unfinished === 0) this.#tasks.delete(task)
        },
      })
      this.#tasks.set(task, number)
    } catch (error) {
      this.#fail(task, error)
    }
  }

  #wake(): void {
    if (this.#turning) return
    this.#turning = true
    setImmediate(() => this.#turn())
  }

  /** One step; the next is an immediate, so that messages come in between. */
  #turn(): void {
    this.#turning = false
    this.#scoreWaiting()
    let more = false
    try {
      more = this.#engine.step()
    } catch (error) {
      // What it holds may be half written: whoever takes part is told, and a new one takes over.
      for (const task of this.#tasks.keys()) this.#fail(task, error)
      this.#tasks.clear()
      this.#engine.dispose()
      this.#engine = this.#newEngine()
    }
    if (this.#events.length > 0) {
      this.#send({ type: 'samples', events: this.#events })
      this.#events = []
    }
    if (more) this.#wake()
  }

  #scoreWaiting(): void {
    const tasks = this.#scores
    if (tasks.length === 0 || !this.#reward) return
    this.#scores = []
    try {
      const reads = this.#reward.readAll(
        tasks.map(({ prompt }) => prompt),
        tasks.map(({ response }) => response),
      )
      for (const [i, { token, sequence }] of reads.entries())
        this.#send({ type: 'scored', task: tasks[i]!.task, rewards: token, total: sequence })
    } catch (error) {
      for (const { task } of tasks) this.#fail(task, error)
    }
  }

  #fail(task: number, error: unknown): void {
    const message = error instanceof EmendError ? error.message : `the computation failed: ${oneLine(error)}`
    this.#send({ type: 'failed', task, message })
  }

  #send(message: FromCompute): void {
    this.#port.postMessage(message)
  }

  #close(): void {
    this.#port.close()
    this.#engine.dispose()
  }
}
