/** Tokenizers: any tokenizer.json, ids with their places in the text, training. */

export {
  type ChatOptions,
  chatTemplates,
  type EncodedChat,
  encodeChat,
  type Message,
  renderChat,
} from './chat-template.js'
export { type LabelFileOptions, type LabelFileReport, labelFile } from './label-file.js'
export { type LabelledEdit, type LabelledToken, labelPairs } from './labelled.js'
export { type Layout, layOutBytes, layOutOffsets } from './layout.js'
export { encodePrompts } from './prompts.js'
export { Tokenizer } from './tokenizer.js'
export { type TrainTokenizerOptions, trainTokenizer } from './train.js'
