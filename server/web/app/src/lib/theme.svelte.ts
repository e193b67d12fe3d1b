// Light, dark, or as the system has it.

export type Theme = 'system' | 'light' | 'dark'

function stored(): Theme {
  try {
    const value = localStorage.getItem('theme')
    return value === 'light' || value === 'dark' ? value : 'system'
  } catch {
    return 'system' // storage may be forbidden
  }
}

let current = $state<Theme>(stored())

export const theme = {
  get choice() {
    return current
  },
  set choice(value: Theme) {
    current = value
    try {
      if (value === 'system') localStorage.removeItem('theme')
      else localStorage.setItem('theme', value)
    } catch {
      // the choice lasts until the page is closed
    }
    applyTheme()
  },
}

export function applyTheme() {
  if (current === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = current
}
