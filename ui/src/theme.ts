import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core';
import { TOKENS, type Tokens } from './charts/tokens';

const indigo: MantineColorsTuple = [
  '#eef1ff', '#dce2ff', '#b9c3ff', '#93a3ff', '#7487f5', '#586ce6', '#4a5edb', '#3b4fd0', '#3141ae', '#27348b',
];
const slate: MantineColorsTuple = [
  '#e3e7ed', '#c6ced9', '#9aa5b4', '#7b8797', '#57616f', '#343d49', '#2a313b', '#1c222b', '#151a21', '#0d1015',
];

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif';
const MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", "Noto Sans Mono CJK SC", monospace';

export const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: { light: 7, dark: 6 },
  colors: { indigo, dark: slate },
  fontFamily: FONT,
  fontFamilyMonospace: MONO,
  defaultRadius: 6,
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '18px' },
  components: {
    Tooltip: { defaultProps: { openDelay: 350, events: { hover: true, focus: true, touch: false } } },
    Modal: { defaultProps: { centered: false, radius: 8 } },
    Popover: { defaultProps: { radius: 8, shadow: 'md' } },
    Menu: { defaultProps: { radius: 8, shadow: 'md' } },
  },
});

function variables(tokens: Tokens): Record<string, string> {
  const { series } = tokens;
  const named = Object.entries(tokens).filter(([, value]) => typeof value === 'string').map(([name, value]) => [`--sonde-${name}`, value as string] as const);
  return {
    ...Object.fromEntries(named),
    ...Object.fromEntries(series.map((color, i) => [`--sonde-series-${i}`, color])),
    '--mantine-color-body': tokens.page,
    '--mantine-color-text': tokens.text,
    '--mantine-color-dimmed': tokens.dim,
    '--mantine-color-default': tokens.panel,
    '--mantine-color-default-border': tokens.border,
    '--mantine-color-placeholder': tokens.dim,
    '--mantine-color-anchor': tokens.accent,
  };
}

export const resolver: CSSVariablesResolver = () => ({
  variables: {},
  light: variables(TOKENS.light),
  dark: variables(TOKENS.dark),
});
