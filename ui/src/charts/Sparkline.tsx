import { sparkPath } from './sparkPath';

export interface SparklineProps {
  readonly column: readonly (number | null)[];
  readonly color: string;
  readonly width?: number;
  readonly height?: number;
  /** As wide as what it stands in. */
  readonly stretch?: boolean;
}

/** A line without axes, beside the number that it leads to. Decoration: the number is what is read out. */
export function Sparkline({ column, color, width = 64, height = 18, stretch = false }: SparklineProps) {
  return (
    <svg width={stretch ? '100%' : width} height={height} preserveAspectRatio={stretch ? 'none' : 'xMidYMid'} viewBox={`0 0 ${width} ${height}`} aria-hidden="true" focusable="false"
      style={{ display: 'block', flex: 'none' }}>
      <path d={sparkPath(column, width, height)} fill="none" stroke={color} strokeWidth={1.25} strokeLinejoin="round" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
