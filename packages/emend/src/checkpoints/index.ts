/** Models in Hugging Face's folder layout. */

export {
  type LoadOptions,
  loadModel,
  loadScalarModel,
  type SaveOptions,
  saveModel,
  saveScalarModel,
} from './hugging-face.js'
export {
  type AdapterBase,
  type AdapterFolder,
  baseOfAdapter,
  isAdapter,
  loadAdapter,
  loadScalarAdapter,
  readAdapterFolder,
  refuseUnsavable,
  saveAdapter,
} from './peft.js'
