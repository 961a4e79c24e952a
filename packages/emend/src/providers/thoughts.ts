/** What models that think aloud say before they answer. */

const THOUGHT = /^\s*<think>[\s\S]*?(?:<\/think>|$)/

/** An answer without the thought that it begins with; empty where the thought was cut off, since what it weighs is no answer. */
export const withoutThought = (answer: string): string => answer.replace(THOUGHT, '')
