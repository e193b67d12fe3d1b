// The editor of statements. It lives in a shadow tree: there, its styles are objects, and the policy of the pages allows
// no others.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { SQLDialect } from '@codemirror/lang-sql'
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { EditorState, StateEffect, StateField } from '@codemirror/state'
import {
  Decoration,
  type DecorationSet,
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
  placeholder,
} from '@codemirror/view'
import { tags } from '@lezer/highlight'

import { complete } from './complete'
import type { Tables } from './tables.svelte'
import { functions, keywords, types } from './words'

/** Where a statement is wrong: line and column as the server counts them, from 1 and in characters. */
export type Place = { line: number; column: number }

const dialect = SQLDialect.define({
  keywords,
  types,
  builtin: functions,
  doubleDollarQuotedStrings: true,
  operatorChars: '*+-%<>!=&|~^/:',
  specialVar: '$?',
  caseInsensitiveIdentifiers: true,
})

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--c3)', fontWeight: '600' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--added)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--c2)' },
  { tag: tags.typeName, color: 'var(--c6)' },
  { tag: tags.standard(tags.name), color: 'var(--c1)' },
  { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
])

const look = EditorView.theme({
  '&': { color: 'var(--text)', backgroundColor: 'var(--ground)', fontSize: '13.5px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55', maxHeight: '24rem', overflow: 'auto' },
  '.cm-content': { padding: '10px 0', minHeight: '8.5rem', caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--raised)', color: 'var(--muted)', border: 'none' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--raised) 60%, transparent)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--focus) 28%, transparent) !important',
  },
  '.cm-matchingBracket': { backgroundColor: 'var(--accent-soft) !important', outline: '1px solid var(--accent)' },
  '.cm-placeholder': { color: 'var(--muted)' },
  '.cm-wrong': { textDecoration: 'underline wavy var(--danger)', backgroundColor: 'var(--removed-soft)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--ground)',
    color: 'var(--text)',
    border: '1px solid var(--line-strong)',
    borderRadius: '6px',
    boxShadow: 'var(--shadow)',
    overflow: 'hidden',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', maxHeight: '15rem', maxWidth: '90vw' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--accent-text)' },
  '.cm-completionDetail': { fontStyle: 'normal', opacity: '0.8', fontSize: '0.9em' },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '700' },
})

const mark = StateEffect.define<{ from: number; to: number } | undefined>()

/** The place of the last error. It goes away with the next change. */
const wrong = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(value, change) {
    for (const effect of change.effects) {
      if (!effect.is(mark)) continue
      const { from, to } = effect.value ?? { from: 0, to: 0 }
      return from < to ? Decoration.set(Decoration.mark({ class: 'cm-wrong' }).range(from, to)) : Decoration.none
    }
    return change.docChanged ? Decoration.none : value
  },
  provide: (field) => EditorView.decorations.from(field),
})

// Text that is typed over a selection is put in its place here. The browser would keep the look of what was there with a
// style attribute, which the policy of the pages refuses; brackets and quotes go around the selection.
const typedOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { data, inputType, isComposing } = event
    if (inputType !== 'insertText' || isComposing || !data || view.state.selection.main.empty) return false
    if (/^[()[\]{}'"]$/.test(data)) return false
    event.preventDefault()
    view.dispatch(view.state.replaceSelection(data), { userEvent: 'input.type', scrollIntoView: true })
    return true
  },
})

type Handlers = { tables: () => Tables | undefined; onchange: (sql: string) => void; onrun: () => void }

/** Makes the editor in an element. */
export function makeEditor(host: HTMLElement, sql: string, { tables, onchange, onrun }: Handlers): EditorView {
  const root = host.attachShadow({ mode: 'open' })
  return new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: sql,
      extensions: [
        keymap.of([{ key: 'Mod-Enter', run: () => (onrun(), true), preventDefault: true }]),
        lineNumbers(),
        history(),
        drawSelection(),
        bracketMatching(),
        closeBrackets(),
        highlightActiveLine(),
        EditorView.lineWrapping,
        autocompletion({
          icons: false,
          override: [(asked) => (tables() ? complete(tables()!, asked).catch(() => null) : null)],
        }),
        // Tab moves on to the next control, as on any page; indenting is left to spaces.
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...defaultKeymap, ...historyKeymap]),
        dialect.extension,
        syntaxHighlighting(colours),
        look,
        wrong,
        typedOver,
        placeholder('SELECT * FROM …'),
        EditorView.contentAttributes.of({
          'aria-label': 'SQL statement',
          spellcheck: 'false',
          autocapitalize: 'off',
        }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onchange(update.state.doc.toString())
        }),
      ],
    }),
  })
}

/** Replaces the statement, unless it is that already. */
export function setText(view: EditorView, sql: string) {
  const present = view.state.doc.toString()
  if (present !== sql) view.dispatch({ changes: { from: 0, to: present.length, insert: sql } })
}

/** Puts text in place of what is selected, and moves the cursor behind it. */
export function insert(view: EditorView, text: string) {
  view.dispatch(view.state.replaceSelection(text))
  view.focus()
}

/** Marks the place of an error, from there to the end of the word, and moves the cursor there. */
export function showError(view: EditorView, { line, column }: Place) {
  const { doc } = view.state
  if (line < 1 || line > doc.lines) return
  const at = doc.line(line)
  const characters = Array.from(at.text) // the server counts characters, not halves of them
  const before = characters.slice(0, column - 1).join('').length
  let from = Math.min(at.from + before, at.to)
  const word = /^(?:"[^"]*"?|[\p{L}\p{N}_]+|.)/u.exec(at.text.slice(from - at.from))?.[0].length ?? 0
  const to = from + word
  if (word === 0) from = Math.max(at.from, from - 1) // at the end of the line
  view.dispatch({
    effects: mark.of({ from, to: Math.max(to, from) }),
    selection: { anchor: to },
    scrollIntoView: true,
  })
}

/** Removes the mark of an error. */
export function clearError(view: EditorView) {
  view.dispatch({ effects: mark.of(undefined) })
}
