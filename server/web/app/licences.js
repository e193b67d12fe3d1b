// The licences of the packages that are part of the built files, as they have to be passed on: in licences.txt beside
// them. A licence that asks for more than that stops the build.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'

const allowed = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD']

export function licences() {
  return {
    name: 'licences',
    generateBundle(_, bundle) {
      const folders = new Set()
      for (const chunk of Object.values(bundle)) {
        if (chunk.type === 'chunk') for (const id of chunk.moduleIds) folders.add(folderOf(id))
      }
      folders.delete('')
      const texts = [...folders].map(licenceOf)
      texts.sort()
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: texts.join('\n') })
    },
  }
}

// folderOf returns the folder of the package that a module is of; empty: it is our own.
function folderOf(id) {
  const path = id.replace(/^\0/, '').replace(/\?.*$/, '').split('/').join(sep)
  const at = path.lastIndexOf(`node_modules${sep}`)
  if (at < 0) return ''
  const names = path.slice(at + 13).split(sep)
  return path.slice(0, at + 13) + names.slice(0, names[0].startsWith('@') ? 2 : 1).join(sep)
}

function licenceOf(folder) {
  const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  if (!allowed.includes(about.license)) throw new Error(`${about.name} has the licence ${about.license}: see licences.js`)
  const file = readdirSync(folder).find((name) => /^licen[cs]e(\.(md|txt))?$/i.test(name))
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8').trim() : ''
  return `== ${about.name} ${about.version}: ${about.license}\n\n${text}\n`
}
