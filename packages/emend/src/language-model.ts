/** A decoder with its tokenizer: what reads prompts as text and answers in text. */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Prompt } from '@emend/edits'
import type { Device, DType } from '@emend/torch'
import { refuseNonFinite } from './checkpoints/finite.js'
import { isGguf, loadGguf } from './checkpoints/gguf/index.js'
import {
  baseOfAdapter,
  isAdapter,
  loadAdapter,
  loadModel,
  refuseUnsavable,
  saveAdapter,
  saveModel,
} from './checkpoints/index.js'
import { EmendError } from './errors.js'
import {
  type Answer,
  type AnswerOptions,
  answer,
  type Generated,
  type GenerateOptions,
  generate,
  generateAsync,
} from './generation/index.js'
import { resolveModel } from './hub/resolve.js'
import {
  adaptedDecoder,
  cloneDecoder,
  createDecoder,
  type Decoder,
  type DecoderShape,
  decoderConfig,
  freeOwn,
  type LoraConfig,
  mergeAdapter,
} from './models/index.js'
import { refuseUnknown } from './pipeline/known-options.js'
import { encodePrompts, Tokenizer } from './text/index.js'

export interface Completion extends Generated {
  /** Without special tokens. */
  readonly text: string
  readonly promptIds: Int32Array
}

export class LanguageModel {
  readonly decoder: Decoder
  readonly tokenizer: Tokenizer
  /** the folder or file that holds these very weights, for adapters to name; null for weights that were trained since */
  base: string | null = null

  /** @param source the folder it was loaded from: a save takes its other files along (chat template, licence, …) */
  constructor(
    decoder: Decoder,
    tokenizer: Tokenizer,
    readonly source?: string,
  ) {
    if (tokenizer.vocabSize > decoder.config.vocabSize) {
      throw new EmendError(
        `${source === undefined ? '' : `${source}: `}the tokenizer knows ${tokenizer.vocabSize} tokens, the model only ${decoder.config.vocabSize}: they do not belong together`,
      )
    }
    this.decoder = decoder
    this.tokenizer = tokenizer
    decoder.vocabulary = tokenizer.vocabSize
  }

  /** Ids that end a response. */
  get eos(): readonly number[] {
    return this.decoder.config.eos
  }

  /**
   * Loads a Hugging Face folder with `tokenizer.json`, a file that ends in `.gguf`, or what `emend pull` fetched (`ORG/NAME`).
   * An adapter's folder, as PEFT writes it, too: then the weights that it names are loaded, or those of `share` are read
   * where they are the same.
   *
   * @throws EmendError of one line: nothing there, something broken or not supported, weights that are no numbers
   */
  static async load(
    path: string,
    o: { device?: Device; dtype?: DType; share?: LanguageModel } = {},
  ): Promise<LanguageModel> {
    refuseUnknown('LanguageModel.load', o, { device: true, dtype: true, share: true })
    const { share, ...place } = o
    const source = resolveModel(path)
    if (isAdapter(source)) {
      const found = baseOfAdapter(source, share)
      const base = typeof found === 'string' ? await LanguageModel.load(found, place) : found
      let decoder: Decoder | undefined
      try {
        decoder = loadAdapter(source, base.decoder)
        refuseNonFinite(decoder.trainable(), path)
        return new LanguageModel(decoder, base.tokenizer, base.source)
      } catch (error) {
        if (decoder) freeOwn(decoder)
        if (typeof found === 'string') base.decoder.dispose()
        throw error
      }
    }
    const gguf = isGguf(source)
    const { model, tokenizer } = gguf
      ? await loadGguf(source, place)
      : { ...(await loadModel(source, place)), tokenizer: undefined }
    try {
      refuseNonFinite(model.parameters(), path)
      const loaded = new LanguageModel(model, tokenizer ?? (await Tokenizer.load(source)), gguf ? undefined : source)
      loaded.base = resolve(source)
      return loaded
    } catch (error) {
      model.dispose()
      throw error
    }
  }

  /** A new model with random weights for a tokenizer whose end-of-text token is `eos`. */
  static create(
    tokenizer: Tokenizer,
    shape: Omit<DecoderShape, 'vocabSize' | 'eos'> & { eos?: string },
    seed: number,
    device?: Device,
  ): LanguageModel {
    const { eos = '<eos>', ...rest } = shape
    const id = tokenizer.idOf(eos)
    if (id === undefined) throw new EmendError(`the tokenizer has no token '${eos}' to end a response with`)
    const config = decoderConfig({
      ...rest,
      vocabSize: tokenizer.vocabSize,
      eos: [id],
      pad: tokenizer.idOf('<pad>') ?? null,
    })
    return new LanguageModel(createDecoder(config, seed, device ? { device } : {}), tokenizer)
  }

  /** A copy with weights of its own, an adapter merged into them. */
  clone(): LanguageModel {
    const { decoder } = this
    return new LanguageModel(
      decoder.model.adapter ? mergeAdapter(decoder) : cloneDecoder(decoder),
      this.tokenizer,
      this.source,
    )
  }

  /**
   * A model in the memory of this one, whose weights are frozen with it: what it reads in addition is a new adapter that
   * changes nothing yet.
   * @param key of the adapter's random numbers, such as the seed
   * @throws EmendError when this model reads through an adapter itself (`clone()` merges it), or when an adapter of its family
   *   could not be saved
   */
  adapted(lora: LoraConfig, key: number): LanguageModel {
    refuseUnsavable(this.decoder.config)
    const decoder = adaptedDecoder(this.decoder, lora, key)
    decoder.model.adapter!.base = this.base
    return new LanguageModel(decoder, this.tokenizer, this.source)
  }

  /**
   * Ids of prompts: of texts, behind a BOS where the tokenizer puts one there, and of conversations by the model's chat
   * template up to where its answer begins. Responses are `tokenizer.encodeBatch`'s to encode: nothing stands before them.
   */
  encode(prompts: readonly Prompt[]): Promise<Int32Array[]> {
    return encodePrompts(this.tokenizer, prompts)
  }

  /**
   * Completes prompts; defaults: 64 new tokens, temperature 1, seed 0. The event loop turns between the steps.
   * @throws Interrupted once `signal` is aborted
   */
  async generate(
    prompts: readonly Prompt[],
    o: Partial<GenerateOptions> & { readonly signal?: AbortSignal } = {},
  ): Promise<Completion[]> {
    const promptIds = await this.encode(prompts)
    const replies = await this.completeAsync(promptIds, o)
    return replies.map((reply, i) => ({
      ...reply,
      text: this.tokenizer.decode(reply.ids),
      promptIds: promptIds[i] as Int32Array,
    }))
  }

  /** The same from ids to ids, and without a turn of the event loop. */
  complete(prompts: readonly Int32Array[], o: Partial<GenerateOptions> = {}): Generated[] {
    return generate(this.decoder, prompts, { ...this.#defaults, ...o })
  }

  /**
   * The same from ids to ids; the event loop turns between the steps.
   * @throws Interrupted once `signal` is aborted
   */
  completeAsync(
    prompts: readonly Int32Array[],
    o: Partial<GenerateOptions> & { readonly signal?: AbortSignal } = {},
  ): Promise<Generated[]> {
    return generateAsync(this.decoder, prompts, { ...this.#defaults, ...o })
  }

  /**
   * Samples of one prompt, their text as it comes, up to a stop string; the same defaults. The prompt's ids are those of a
   * text (`encode`) or of a conversation (`encodeChat`).
   * @throws Interrupted once `signal` is aborted
   */
  answer(prompt: Int32Array, o: Partial<AnswerOptions> = {}): Promise<Answer[]> {
    return answer(this.decoder, this.tokenizer, prompt, { ...this.#defaults, ...o })
  }

  get #defaults() {
    return { maxNewTokens: 64, seed: 0, eos: this.eos }
  }

  /**
   * Writes a Hugging Face folder: config.json, model.safetensors, tokenizer.json, and what stood beside them at first. Of
   * a model that reads through an adapter, the adapter as PEFT writes it and tokenizer.json; `clone()` merges it.
   */
  async save(folder: string): Promise<void> {
    const { source } = this
    if (this.decoder.model.adapter) {
      saveAdapter(folder, this.decoder)
      this.tokenizer.save(folder)
      return
    }
    await saveModel(folder, this.decoder, source !== undefined && existsSync(source) ? { carryFrom: source } : {})
    this.tokenizer.save(folder)
    this.base = resolve(folder)
  }
}
