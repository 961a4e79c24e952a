/** A model over HTTP: OpenAI's API for generation, and scores. */

export { type RunningServer, type ServeOptions, serve } from './serve.js'
