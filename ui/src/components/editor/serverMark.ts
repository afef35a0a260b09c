import { StateEffect, StateField } from '@codemirror/state';
import { Decoration, EditorView, type DecorationSet } from '@codemirror/view';
import type { EditorMark } from './Editor';

/** Sets, or with undefined takes away, the line under what the server could not read. */
export const setMark = StateEffect.define<EditorMark | undefined>();

export const markField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    for (const effect of transaction.effects) {
      if (!effect.is(setMark)) continue;
      const length = transaction.state.doc.length;
      if (!effect.value || length === 0) return Decoration.none;
      // A word, or at least one character: the server names where it begins.
      const from = Math.min(effect.value.at, length - 1);
      const word = transaction.state.wordAt(from);
      const to = word && word.to > from ? word.to : from + 1;
      return Decoration.set([Decoration.mark({ class: 'cm-server-mark', attributes: { title: effect.value.message } }).range(from, to)]);
    }
    return transaction.docChanged ? Decoration.none : marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});
