/** Light, dark, or as the system says; remembered. */
import { remember, remembered } from './remembered'

export type Theme = 'system' | 'light' | 'dark'

export const theme = (): Theme => remembered<Theme>('theme') ?? 'system'

/** Shows a theme and remembers it. */
export function setTheme(next: Theme): void {
  remember('theme', next)
  document.documentElement.dataset['theme'] = next
}

document.documentElement.dataset['theme'] = theme()
