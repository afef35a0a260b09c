import classes from './Meter.module.css';

export interface MeterProps {
  readonly label: string;
  /** 0 to 1; null is unknown. */
  readonly share: number | null;
  readonly text: string;
  readonly tone?: 'ok' | 'warn' | 'bad' | undefined;
  readonly title?: string;
}

/** A share as a bar, with its name and its number. */
export function Meter({ label, share, text, tone, title }: MeterProps) {
  return (
    <div className={classes.root} title={title}>
      <span className={classes.label}>{label}</span>
      <span className={classes.track} aria-hidden="true">
        <span className={classes.bar} data-tone={tone} style={{ width: `${Math.max(0, Math.min(1, share ?? 0)) * 100}%` }} />
      </span>
      <span className={classes.text}>{text}</span>
    </div>
  );
}
