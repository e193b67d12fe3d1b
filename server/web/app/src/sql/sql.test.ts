import { expect, test } from 'vitest'

import type { Column, Records } from '../values/arrow'
import { addressOf, beside, choose, namesOf, series } from './chart'
import { contextAt, quote, tablesOf } from './context'
import { snippet } from './snippets'

/** What is typed at the bar. */
function at(text: string) {
  const place = text.indexOf('|')
  const { kind, ...rest } = contextAt(text.replace('|', ''), place)
  return { kind, ...rest } as Record<string, unknown>
}

test('after FROM and JOIN comes a table', () => {
  expect(at('SELECT * FROM emp|')).toMatchObject({ kind: 'word', typed: 'emp', wantsTable: true })
  expect(at('SELECT * FROM a, |')).toMatchObject({ kind: 'word', wantsTable: true })
  expect(at('SELECT * FROM a JOIN "em|')).toMatchObject({ kind: 'quoted', typed: 'em', wantsTable: true })
  expect(at('SELECT na| FROM a')).toMatchObject({ kind: 'word', wantsTable: false })
  expect(at('SELECT * FROM a WHERE x|')).toMatchObject({ kind: 'word', wantsTable: false })
  expect(at('SELECT * FROM a w|')).toMatchObject({ kind: 'word', wantsTable: false })
})

test('after @ and .. comes a ref of the dataset', () => {
  expect(at('SELECT * FROM "employees@1.|')).toMatchObject({ kind: 'ref', table: 'employees', typed: '1.' })
  expect(at('FROM "a ""b""@1.0.0..|')).toMatchObject({ kind: 'ref', table: 'a "b"', typed: '' })
})

test('after a point comes a column', () => {
  expect(at('SELECT e.na| FROM employees e')).toMatchObject({ kind: 'column', table: 'e', typed: 'na' })
  expect(at('SELECT "x y".|')).toMatchObject({ kind: 'column', table: 'x y' })
  expect(at('SELECT 1.|')).toEqual({ kind: 'none' })
})

test('nothing comes within texts and comments', () => {
  for (const text of ["SELECT 'emp|", 'SELECT 1 -- emp|', '/* FROM |', "SELECT 'it''s|"]) {
    expect(at(text)).toEqual({ kind: 'none' })
  }
  expect(at("SELECT 'a' FROM |")).toMatchObject({ wantsTable: true })
})

test('the tables of a statement are known by name and alias', () => {
  const found = tablesOf('SELECT * FROM "employees@2" a JOIN "my data@1.0.0" AS b USING (id), penguins WHERE 1')
  expect(Object.fromEntries(found)).toEqual({
    'employees@2': 'employees',
    employees: 'employees',
    a: 'employees',
    'my data@1.0.0': 'my data',
    'my data': 'my data',
    b: 'my data',
    penguins: 'penguins',
  })
})

test('names are quoted where they need it', () => {
  expect(['a', 'A', 'order', 'x"y', '2b'].map(quote)).toEqual(['a', '"A"', '"order"', '"x""y"', '"2b"'])
})

const column = (name: string, kind: Column['kind'], values: (number | string | null)[]): Column => ({
  name,
  kind,
  type: '',
  at: (row) => values[row] ?? null,
  number: (row) => (typeof values[row] === 'number' ? (values[row] as number) : null),
})
const records = (...columns: Column[]): Records => ({ columns, rows: 3, isCut: false, bytes: 0 })

test('a chart draws what suits the columns', () => {
  const result = records(column('city', 'text', ['b', 'a', 'c']), column('n', 'number', [3, null, 1]))
  const choice = choose(result, {})!
  expect(choice).toEqual({ x: 'city', y: ['n'], kind: 'bars' })
  expect(series(result, choice)).toEqual({
    x: [0, 1], lines: [{ label: 'n', values: [3, 1] }], names: ['b', 'c'], isTime: false, left: 1,
  })
  expect(choose(records(column('city', 'text', [])), {})).toBeUndefined()
})

test('points are drawn from left to right', () => {
  const result = records(column('at', 'time', [3, 1, 2]), column('n', 'number', [30, 10, 20]))
  expect(series(result, choose(result, {})!)).toMatchObject({
    x: [1, 2, 3], lines: [{ values: [10, 20, 30] }], isTime: true,
  })
})

test('several columns are drawn, and a record without a value in one of them is a gap there', () => {
  const result = records(
    column('city', 'text', ['a', 'b', 'c']), column('n', 'number', [3, null, null]), column('m', 'number', [1, 2, null]),
  )
  const choice = choose(result, { y: ['n', 'm', 'gone', 'n'] })!
  expect(choice.y).toEqual(['n', 'm'])
  const points = series(result, choice)
  expect(points).toMatchObject({ names: ['a', 'b'], lines: [{ values: [3, null] }, { values: [1, 2] }], left: 1 })
  const bars = beside(points)
  expect(bars.x.map((at) => Math.round(at) + 0)).toEqual([0, 0, 1, 1])
  expect(bars.values).toEqual([[3, null, null, null], [null, 1, null, 2]])
})

test('the address has the columns of a chart, whatever they are called', () => {
  for (const names of [['n'], ['a,b', 'c'], ['["x"]'], ['[']]) expect(namesOf(addressOf(names))).toEqual(names)
  expect(namesOf('[not a list')).toEqual(['[not a list'])
  expect(namesOf(null)).toBeUndefined()
})

test('a statement stays what it is in every program', () => {
  const query = { sql: `SELECT 'it''s' AS "a\\b"`, project: 1, origin: 'http://127.0.0.1:8000', needsToken: true }
  expect(snippet('curl', query)).toContain('{"sql":"SELECT \'it\'\'s\' AS \\"a\\\\b\\"","project_id":1}')
  expect(snippet('pandas', query)).toContain('sql = "SELECT \'it\'\'s\' AS \\"a\\\\b\\""')
  expect(snippet('pandas', { ...query, sql: 'SELECT 1', needsToken: false })).not.toContain('TOKEN')
})
