import { CopyButton } from './CopyButton';
import classes from './CodeBlock.module.css';

export interface CodeBlockProps {
  readonly text: string;
  readonly copyLabel: string;
}

/** Text to be taken elsewhere: a command, a piece of configuration, an expression. */
export function CodeBlock({ text, copyLabel }: CodeBlockProps) {
  return (
    <div className={classes.root}>
      <pre className={classes.text} tabIndex={0}>{text}</pre>
      <div className={classes.copy}><CopyButton text={text} label={copyLabel} /></div>
    </div>
  );
}
