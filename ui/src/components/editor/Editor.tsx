import { lazy, Suspense, type RefObject } from 'react';
import classes from './Editor.module.css';

export interface EditorHandle {
  readonly insert: (text: string) => void;
  readonly focus: () => void;
}

export interface EditorMark {
  /** An offset into the text. */
  readonly at: number;
  readonly message: string;
}

export interface EditorProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly onRun: () => void;
  readonly label: string;
  readonly placeholder: string;
  readonly mark?: EditorMark | undefined;
  readonly handle?: RefObject<EditorHandle | null>;
}

const PromqlEditor = lazy(async () => ({ default: (await import('./PromqlEditor')).PromqlEditor }));

/** A field for PromQL. Until the real editor has loaded, and if it cannot, a plain one does. */
export function Editor(props: EditorProps) {
  const { value, onChange, onRun, label, placeholder } = props;
  const plain = (
    <textarea className={classes.plain} aria-label={label} placeholder={placeholder} value={value} rows={Math.max(1, value.split('\n').length)} spellCheck={false}
      onChange={(event) => onChange(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key === 'Enter' && !event.shiftKey) {
          event.preventDefault();
          onRun();
        }
      }} />
  );
  return <div className={classes.root}><Suspense fallback={plain}><PromqlEditor {...props} /></Suspense></div>;
}
