/** Operators left out of the typed surface because some arguments crash the process, each with what was seen. */

/** Name, or `name.overload`, and the reason. Found by fuzzing; `torch.unsafe.call` still reaches them. */
export const unsafeOperators: Readonly<Record<string, string>> = {}
