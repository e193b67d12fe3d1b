import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

import { licences } from './licences.js'
import { sizes } from './sizes'

/** What pages share, and what is one page although it is loaded in parts. */
const groups = [
  {
    name: 'base',
    test: /node_modules\/(svelte|esm-env|clsx)\/|src\/(lib|ui|styles|App\.svelte|main\.ts|routes\.ts|datasets\/dropped)/,
  },
  { name: 'values', test: /node_modules\/(@uwdata\/flechette|@tanstack\/virtual-core)\/|src\/values\// },
  { name: 'changes', test: /src\/(difference|discussion|history|undo)\/|src\/proposals\/types/ },
  { name: 'admin', test: /src\/(admin\/|pages\/Admin\.svelte)/ },
]

// The built files are committed and compared by the gate, so nothing in them may depend on where or when they were
// built. The policy of the pages allows no inline styles, scripts or data: URLs, so nothing is inlined.
export default defineConfig({
  assetsInclude: ['**/*.parquet'], // a sample of the tests
  plugins: [svelte(), sizes(), licences()],
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'], // the first with light-dark(), on which tokens.css rests
    reportCompressedSize: true,
    modulePreload: { polyfill: false },
    // A page is few files: a browser asks for six at a time, and each costs more than the bytes that it could do without.
    cssCodeSplit: false,
    rolldownOptions: { output: { codeSplitting: { groups } } },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8000' } },
})
