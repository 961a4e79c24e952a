/** @emend/torch: libtorch for TypeScript. */
export { type GradOptions, grad } from './autograd.js'
export { type DecodeAttention, decodeAttention } from './decode-attention.js'
export { type Device, devices } from './device.js'
export { type DType, isDType, type TypedArray } from './dtype.js'
export { mapFile } from './files.js'
export { type GradcheckOptions, gradcheck } from './gradcheck.js'
export * as init from './init.js'
export { ArgumentError } from './invoke.js'
export * as nn from './nn/index.js'
export { Module } from './nn/module.js'
export * from './optim/index.js'
export { PackedLinear } from './packed-linear.js'
export { hash32, permutation, randomNormal, randomUniform, threefry, uniform } from './random.js'
export {
  getRandomState,
  type Memory,
  manualSeed,
  memory,
  numThreads,
  setMemoryLimit,
  setNumThreads,
  setRandomState,
  synchronize,
  versions,
} from './runtime.js'
export {
  readSafetensors,
  readSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
  writeSafetensors,
} from './safetensors.js'
export { constant, cosine, linear, type Schedule, type ScheduleOptions } from './schedules.js'
export { enableGrad, gradEnabled, inferenceMode, keep, noGrad, scope } from './scope.js'
export { type Findings, findings } from './setup/findings.js'
export { type Nested, Tensor, type TensorOptions, tensor } from './tensor.js'
export { type Torch, torch, type Unsafe } from './torch.js'
