// Every colour that is drawn, for both themes. CSS gets them as --sonde-* variables (theme.ts), the canvas
// reads them from here. tokens.test.ts holds their contrast.

export type ThemeName = 'light' | 'dark';

export interface Tokens {
  readonly page: string;
  readonly panel: string;
  readonly raised: string;
  readonly border: string;
  readonly text: string;
  readonly dim: string;
  readonly grid: string;
  readonly axis: string;
  readonly accent: string;
  readonly ok: string;
  readonly warn: string;
  readonly bad: string;
  /** In the spirit of Wong and Tol: told apart with the usual colour-vision deficiencies. */
  readonly series: readonly string[];
  /** P50, P95, P99. */
  readonly quantiles: readonly [string, string, string];
}

export const TOKENS: Readonly<Record<ThemeName, Tokens>> = {
  light: {
    page: '#f4f5f8', panel: '#ffffff', raised: '#ffffff', border: '#dde1e8', text: '#1a1f27', dim: '#566070',
    grid: '#e8ebf0', axis: '#566070', accent: '#3b4fd0', ok: '#14753f', warn: '#8a5a00', bad: '#b3261e',
    series: ['#0072b2', '#c85200', '#00805f', '#a5558b', '#9a6a00', '#3f86c4', '#4a4f57', '#b5385a', '#6b7a1c', '#6d52c4', '#0d7d83', '#8a5a3c'],
    quantiles: ['#4f93c9', '#9a6a00', '#c2410c'],
  },
  dark: {
    page: '#0d1015', panel: '#151a21', raised: '#1c222b', border: '#2a313b', text: '#e3e7ed', dim: '#9aa5b4',
    grid: '#222933', axis: '#9aa5b4', accent: '#93a3ff', ok: '#4fc585', warn: '#e5b04b', bad: '#ff7b72',
    series: ['#56b4e9', '#f28c52', '#35c79b', '#e39cc4', '#e9b93c', '#7aa7ff', '#c3cad3', '#ff7f9a', '#b9c75a', '#b29bff', '#4fd0d4', '#d0a27e'],
    quantiles: ['#56a5d8', '#e0b040', '#ff8a5c'],
  },
};

const DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 3], [8, 3, 2, 3]];

/** Colour and dash of the nth series: after the colours are used up, the dash tells rounds apart. */
export function seriesStyle(theme: ThemeName, index: number): { color: string; dash: number[] } {
  const colors = TOKENS[theme].series;
  const round = Math.floor(index / colors.length);
  return { color: colors[index % colors.length] ?? TOKENS[theme].accent, dash: [...(DASHES[round % DASHES.length] ?? [])] };
}
