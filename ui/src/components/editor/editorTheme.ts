import { HighlightStyle } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** All from the theme's variables, so that light and dark differ only in the flag that CodeMirror itself needs. */
export const editorTheme = (dark: boolean) => EditorView.theme({
  '&': { fontSize: '13px', backgroundColor: 'transparent', color: 'var(--sonde-text)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-content': { padding: '6px 4px', fontFamily: 'var(--mantine-font-family-monospace)', caretColor: 'var(--sonde-text)', lineHeight: '1.5' },
  '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)' },
  '.cm-cursor': { borderLeftColor: 'var(--sonde-text)' },
  '.cm-placeholder': { color: 'var(--sonde-dim)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground, ::selection': {
    backgroundColor: 'color-mix(in srgb, var(--sonde-accent) 28%, transparent) !important',
  },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': {
    backgroundColor: 'color-mix(in srgb, var(--sonde-accent) 22%, transparent)', outline: 'none',
  },
  '.cm-tooltip': {
    backgroundColor: 'var(--sonde-raised)', color: 'var(--sonde-text)', border: '1px solid var(--sonde-border)', borderRadius: '6px',
    boxShadow: '0 4px 16px rgb(0 0 0 / 18%)', overflow: 'hidden',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: '12.5px', maxHeight: '280px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '3px 8px', lineHeight: '1.4' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': {
    backgroundColor: 'color-mix(in srgb, var(--sonde-accent) 20%, var(--sonde-raised))', color: 'var(--sonde-text)',
  },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '700', color: 'var(--sonde-accent)' },
  '.cm-completionDetail': { marginLeft: '12px', color: 'var(--sonde-dim)', fontStyle: 'normal' },
  'li[aria-selected] .cm-completionDetail': { color: 'var(--sonde-text)' },
  '.cm-completionInfo': { maxWidth: '360px', padding: '6px 10px', fontFamily: 'var(--mantine-font-family)' },
  '.cm-diagnostic': { padding: '4px 10px', fontFamily: 'var(--mantine-font-family)', fontSize: '12.5px' },
  '.cm-server-mark': { textDecoration: 'underline wavy var(--sonde-bad)', textUnderlineOffset: '3px', textDecorationSkipInk: 'none' },
}, { dark });

export const highlight = HighlightStyle.define([
  { tag: tags.number, color: 'var(--sonde-series-1)' },
  { tag: tags.string, color: 'var(--sonde-series-2)' },
  { tag: [tags.function(tags.variableName), tags.keyword], color: 'var(--sonde-accent)' },
  { tag: tags.labelName, color: 'var(--sonde-series-4)' },
  { tag: tags.operator, color: 'var(--sonde-text)' },
  { tag: tags.modifier, color: 'var(--sonde-series-3)' },
  { tag: tags.lineComment, color: 'var(--sonde-dim)' },
  { tag: tags.invalid, color: 'var(--sonde-bad)' },
]);
