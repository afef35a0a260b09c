// Line drawings on a 24 px grid, one path each.
const PATHS = {
  overview: 'M3 13h4l3-8 4 14 3-8h4',
  explore: 'M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M15.5 8.5l-2 5-5 2 2-5z',
  targets: 'M12 4a8 8 0 1 0 0 16a8 8 0 0 0 0-16M12 9a3 3 0 1 0 0 6a3 3 0 0 0 0-6M12 2v3M12 19v3M2 12h3M19 12h3',
  status: 'M5 4h14a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1M5 13h14a1 1 0 0 1 1 1v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1v-5a1 1 0 0 1 1-1M8 7.5h.01M8 16.5h.01M12 7.5h5M12 16.5h5',
  search: 'M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13M15.5 15.5L20 20',
  clock: 'M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 7v5l3 2',
  refresh: 'M20 11a8 8 0 0 0-14.5-4.5L4 8M4 4v4h4M4 13a8 8 0 0 0 14.5 4.5L20 16M20 20v-4h-4',
  language: 'M4 6h9M8.5 4v2M11 6c-.8 4-3.5 7-7 8.5M6 9c1.2 2.5 3.5 4.3 6 5M12.5 20l4-10 4 10M14 17h5',
  sun: 'M12 8a4 4 0 1 0 0 8a4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6L19 19M19 5l-1.4 1.4M6.4 17.6L5 19',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5',
  auto: 'M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 3v18M12 7h5.5M12 12h9M12 17h5.5',
  help: 'M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.7.3-1 .8-1 1.700M12 16.5h.01',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  plus: 'M12 5v14M5 12h14',
  down: 'M6 9l6 6 6-6',
  left: 'M15 6l-6 6 6 6',
  right: 'M9 6l6 6-6 6',
  table: 'M4 5h16v14H4zM4 10h16M4 14.5h16M10 5v14',
  chart: 'M4 4v16h16M7 15l4-5 3 3 5-7',
  info: 'M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 11v5M12 8h.01',
  copy: 'M9 9h10v11H9zM15 9V4H5v11h4',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  warn: 'M12 4L2.8 19.5h18.4zM12 10v4.5M12 17h.01',
  bad: 'M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M9 9l6 6M15 9l-6 6',
  ok: 'M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M8.5 12.2l2.5 2.5 4.5-5',
  idle: 'M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M8.5 12h7',
  download: 'M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14',
  zoomOut: 'M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13M15.5 15.5L20 20M7.5 10.5h6',
  filter: 'M4 5h16l-6 7.5V19l-4-2v-4.5z',
  history: 'M4 12a8 8 0 1 1 2.5 5.8L4 15.5M4 20v-4.5h4.5M12 8v4.5l3 1.5',
  list: 'M9 6h11M9 12h11M9 18h11M5 6h.01M5 12h.01M5 18h.01',
  format: 'M4 6h16M4 10h9M7 14h13M7 18h8',
  play: 'M7 5l12 7-12 7z',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  sort: 'M8 5v14M4.5 8.5L8 5l3.5 3.5M16 19V5M12.5 15.5L16 19l3.5-3.5',
} as const;

export type IconName = keyof typeof PATHS;

export interface IconProps {
  readonly name: IconName;
  readonly size?: number;
  /** Only where no word says the same. */
  readonly label?: string;
  readonly className?: string | undefined;
}

export function Icon({ name, size = 16, label, className }: IconProps) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth={1.8}
      strokeLinecap="round" strokeLinejoin="round" focusable="false" className={className} style={{ flex: 'none' }}
      {...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': true })}>
      <path d={PATHS[name]} />
    </svg>
  );
}
