// The reader's choice of colours, before anything is shown: for the pages and the manual.
try {
  const chosen = localStorage.getItem('theme')
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen
} catch {
  // storage may be forbidden: the colours are the system's
}
