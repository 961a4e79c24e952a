/** GGUF files: models of llama.cpp and its kin, in and out. */

export {
  type ConvertOptions,
  convertModel,
  isGguf,
  type ModelFormat,
  readTokenizerFiles,
  type StoredType,
} from './convert.js'
export { type GgufModel, type LoadGgufOptions, loadGguf, loadGgufWeights, openGguf } from './read.js'
export { type TokenizerFiles, tokenizerFiles } from './vocabulary.js'
export { type SaveGgufOptions, saveGguf } from './write.js'
