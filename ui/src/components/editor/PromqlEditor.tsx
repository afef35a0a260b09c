import { closeBrackets, closeBracketsKeymap, completionKeymap, autocompletion } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from '@codemirror/commands';
import { bracketMatching, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { Compartment, EditorState, Prec } from '@codemirror/state';
import { EditorView, keymap, placeholder as placeholderText } from '@codemirror/view';
import { useComputedColorScheme } from '@mantine/core';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';
import { useEffect, useImperativeHandle, useRef } from 'react';
import { PREFIX } from '../../api/client';
import type { EditorProps } from './Editor';
import { editorTheme, highlight } from './editorTheme';
import { markField, setMark } from './serverMark';

const theming = new Compartment();
const naming = new Compartment();

function language() {
  const promql = new PromQLExtension();
  promql.setComplete({ remote: { url: `${window.location.origin}${PREFIX}`, httpMethod: 'GET' } });
  return promql.asExtension();
}

/** CodeMirror with PromQL: colours, completion from our own API, and the server's complaint under the place it means. */
export function PromqlEditor({ value, onChange, onRun, label, placeholder, mark, handle }: EditorProps) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const latest = useRef({ onChange, onRun });
  const dark = useComputedColorScheme('light') === 'dark';
  const start = useRef({ value, dark, label, placeholder });

  useEffect(() => {
    latest.current = { onChange, onRun };
  });

  useEffect(() => {
    if (!box.current) return;
    const run = () => {
      latest.current.onRun();
      return true;
    };
    const editor = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: start.current.value,
        extensions: [
          history(), indentOnInput(), bracketMatching(), closeBrackets(), autocompletion({ icons: false }),
          syntaxHighlighting(highlight), language(), markField, EditorView.lineWrapping,
          theming.of(editorTheme(start.current.dark)),
          naming.of([EditorView.contentAttributes.of({ 'aria-label': start.current.label }), placeholderText(start.current.placeholder)]),
          keymap.of([...closeBracketsKeymap, ...completionKeymap]),
          Prec.high(keymap.of([{ key: 'Mod-Enter', run }, { key: 'Shift-Enter', run: insertNewlineAndIndent }])),
          // Below completion, whose Enter takes the chosen word.
          keymap.of([{ key: 'Enter', run }, ...defaultKeymap, ...historyKeymap, ...lintKeymap]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => editor.destroy();
  }, []);

  useEffect(() => {
    view.current?.dispatch({
      effects: [
        theming.reconfigure(editorTheme(dark)),
        naming.reconfigure([EditorView.contentAttributes.of({ 'aria-label': label }), placeholderText(placeholder)]),
      ],
    });
  }, [dark, label, placeholder]);

  useEffect(() => {
    const editor = view.current;
    const now = editor?.state.doc.toString();
    if (editor && now !== value) editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    view.current?.dispatch({ effects: setMark.of(mark) });
  }, [mark]);

  useImperativeHandle(handle, () => ({
    insert: (text) => {
      const editor = view.current;
      if (!editor) return;
      editor.dispatch(editor.state.replaceSelection(text));
      editor.focus();
    },
    focus: () => view.current?.focus(),
  }), []);

  return <div ref={box} />;
}
