export { Embedding, LayerNorm, type LayerOptions, Linear, RMSNorm } from './layers.js'
export { type LoadReport, Module, parameter } from './module.js'
