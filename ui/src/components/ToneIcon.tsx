import type { Tone } from '../lib/overview';
import { Icon } from './Icon';

const COLOR: Readonly<Record<Tone, string>> = {
  ok: 'var(--sonde-ok)', warn: 'var(--sonde-warn)', bad: 'var(--sonde-bad)', idle: 'var(--sonde-dim)',
};

export interface ToneIconProps {
  readonly tone: Tone;
  readonly size?: number;
  readonly label?: string;
}

/** A state as a shape and a colour; the word stands beside it, or in `label`. */
export function ToneIcon({ tone, size = 16, label }: ToneIconProps) {
  return (
    <span style={{ color: COLOR[tone], display: 'inline-flex' }}>
      <Icon name={tone} size={size} {...(label ? { label } : {})} />
    </span>
  );
}
