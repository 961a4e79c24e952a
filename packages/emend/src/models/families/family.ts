/** What a family of models is: how its `config.json` reads and writes, and how its tensors are named and laid out. */

import type { DecoderConfig, DecoderShape } from '../config.js'
import type { ConfigReader } from './config-reader.js'

/** Where a tensor of ours stands in the files of a family. */
export interface StoredTensor {
  readonly name: string
  /** stored as [inputs, outputs] */
  readonly transposed?: boolean
  /** part `part` of `parts` equal ones, joined along the outputs */
  readonly part?: number
  readonly parts?: number
}

/** One family of models. Adding one is a file like its neighbours and a line in `index.ts`. */
export interface Family {
  /** what `config.json` says under `model_type`; also `DecoderConfig.family` */
  readonly name: string
  /** what it says under `architectures` of a causal language model */
  readonly causal: string
  /** and of a token classifier; null where transformers has none */
  readonly tokenClassification: string | null
  /** Reads the settings that are the family's own, and refuses by name those that are not implemented. */
  read(json: ConfigReader): DecoderShape
  /** The settings that are the family's own, as transformers writes them. */
  write(config: DecoderConfig): Record<string, unknown>
  /** Where the tensor of our name stands; without it names and layouts are ours. */
  stored?(name: string): StoredTensor
  /** Tensors of a file that hold nothing learned. */
  idle?(name: string): boolean
}
