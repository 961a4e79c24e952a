/** The decoder that is measured is the one of `emend`; the engine itself depends on no model. */
export { generate } from '../../emend/dist/generation/index.js'
export { createDecoder, decoderConfig } from '../../emend/dist/models/index.js'
