// Completion of datasets, refs and columns, as well as the words of SQL.
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete'

import { visible } from '../lib/format'
import { contextAt, quote, tablesOf, words } from './context'
import { history, type Tables } from './tables.svelte'

const word = /^[\p{L}\p{N}_]*$/u

/** Returns what can come next in a statement. */
export async function complete(tables: Tables, asked: CompletionContext): Promise<CompletionResult | null> {
  const sql = asked.state.doc.toString()
  const at = contextAt(sql, asked.pos)
  switch (at.kind) {
    case 'none':
      return null
    case 'ref': {
      const dataset = tables.find(at.table)
      if (!dataset) return null
      const refs = await tables.refs(dataset)
      const options = refs.map((label, i) => ({ label, type: 'constant', boost: -i / 10 }))
      return { from: at.from, options, validFor: /^[\w.~:+-]*$/ }
    }
    case 'column': {
      const options = await columnsOf(tables, tablesOf(sql).get(at.table) ?? at.table, quote)
      return options.length ? { from: at.from, options, validFor: word } : null
    }
    case 'quoted': {
      const end = sql[asked.pos] === '"' ? '' : '"'
      const apply = (name: string) => name.replaceAll('"', '""') + end
      const options = at.wantsTable ? datasets(tables, apply) : await columnsOfAll(tables, sql, apply)
      return { from: at.from, options, validFor: /^[^"@]*$/ }
    }
  }
  if (at.typed === '' && !asked.explicit && !at.wantsTable) return null
  if (at.typed === '' && at.wantsTable && !asked.explicit && !/\s/.test(sql[asked.pos - 1] ?? '')) return null
  const own = at.wantsTable
    ? [
        ...datasets(tables, quote),
        ...Object.entries(history).map(([label, detail]) => ({ label, detail, type: 'class' })),
      ]
    : await columnsOfAll(tables, sql, quote)
  return { from: at.from, options: at.wantsTable ? own : [...own, ...words], validFor: word }
}

function datasets(tables: Tables, apply: (name: string) => string): Completion[] {
  return tables.datasets.map((dataset) => ({
    label: dataset.name,
    displayLabel: visible(dataset.name),
    apply: apply(dataset.name),
    type: 'class',
    detail: `${dataset.records_total.toLocaleString('en')} records`,
    boost: 50,
  }))
}

async function columnsOf(tables: Tables, table: string, apply: (name: string) => string): Promise<Completion[]> {
  const dataset = tables.find(table)
  if (!dataset) return []
  const columns = await tables.columns(dataset)
  return [...columns, { name: '_commit', type: 'BIGINT' }].map((column) => ({
    label: column.name,
    displayLabel: visible(column.name),
    apply: apply(column.name),
    type: 'property',
    detail: column.type.slice(0, 40),
    boost: 20,
  }))
}

/** Returns the columns of all tables that a statement names; a column of several once. */
async function columnsOfAll(tables: Tables, sql: string, apply: (name: string) => string): Promise<Completion[]> {
  const named = [...new Set(tablesOf(sql).values())].slice(0, 20)
  const found = await Promise.all(named.map((table) => columnsOf(tables, table, apply).catch(() => [])))
  return [...new Map(found.flat().map((option) => [option.label, option])).values()]
}
