// How much a browser has to load: the build fails when a page is heavier than was promised.
import { gzipSync } from 'node:zlib'

import type { Plugin, Rollup } from 'vite'

type Budget = { page: string; with?: string[]; kilobytes: number }

/** Pages by their sources, with what they load later, and the most kilobytes of each, compressed. */
const budgets: Budget[] = [
  { page: 'src/pages/Datasets.svelte', kilobytes: 100 },
  { page: 'src/pages/Sql.svelte', with: ['src/sql/Chart.svelte'], kilobytes: 220 },
]

/** Returns a plugin that tells the sizes of pages, and fails the build when one is too large. */
export function sizes(): Plugin {
  return {
    name: 'sizes',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        for (const { page, with: later = [], kilobytes } of budgets) {
          const size = sizeOf(bundle, [page, ...later])
          console.log(`${page}: ${size.toFixed(1)} kB of ${kilobytes}, compressed`)
          if (size > kilobytes) this.error(`${page} has ${size.toFixed(1)} kB compressed, and may have ${kilobytes}`)
        }
      },
    },
  }
}

/** Returns the compressed kilobytes of the application's start and of some modules, with all that they import. */
function sizeOf(bundle: Rollup.OutputBundle, modules: string[]): number {
  const chunks = Object.values(bundle).filter((file) => file.type === 'chunk')
  const files = new Set(Object.keys(bundle).filter((name) => name.endsWith('.css'))) // all pages share one style sheet
  const add = (name: string) => {
    const chunk = bundle[name]
    if (files.has(name) || chunk?.type !== 'chunk') return
    files.add(name)
    chunk.imports.forEach(add)
  }
  for (const chunk of chunks) {
    const isPage = modules.some((module) => chunk.facadeModuleId?.endsWith('/' + module))
    if (chunk.isEntry || isPage) add(chunk.fileName)
  }
  for (const module of modules) {
    if (!chunks.some((chunk) => chunk.facadeModuleId?.endsWith('/' + module))) throw new Error(`no chunk is ${module}`)
  }
  let size = 0
  for (const name of files) {
    const file = bundle[name]
    if (file) size += gzipSync(file.type === 'chunk' ? file.code : file.source).length
  }
  return size / 1000
}
