import tseslint from 'typescript-eslint';
import hooks from 'eslint-plugin-react-hooks';

// Who may import whom: pages -> components -> charts -> api -> lib; state imports nobody.
const FLOORS = {
  lib: ['api', 'charts', 'components', 'pages', 'state'],
  state: ['api', 'charts', 'components', 'pages', 'lib'],
  api: ['charts', 'components', 'pages', 'state'],
  charts: ['components', 'pages', 'state'],
  components: ['pages'],
};
const direction = Object.entries(FLOORS).map(([folder, banned]) => ({
  files: [`src/${folder}/**/*.{ts,tsx}`],
  rules: {
    'no-restricted-imports': ['error', {
      patterns: [
        { group: banned.flatMap((name) => [`../${name}/*`, `../${name}/**`, `../../${name}/**`]), message: `${folder}/ is below that.` },
        ...(folder === 'charts' ? [] : [{ group: ['uplot', 'uplot/*'], message: 'Only charts/ imports uPlot.' }]),
      ],
    }],
  },
}));

export default tseslint.config(
  { ignores: ['dist', 'node_modules'] },
  {
    files: ['src/**/*.{ts,tsx}'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname ?? new URL('.', import.meta.url).pathname } },
    plugins: { 'react-hooks': hooks },
    rules: {
      ...hooks.configs.recommended.rules,
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      'no-restricted-syntax': ['error',
        { selector: 'TSEnumDeclaration', message: 'Use a union of strings.' },
        { selector: 'ExportDefaultDeclaration', message: 'Use named exports.' }],
      'max-lines-per-function': ['error', { max: 150 }],
      'max-lines': ['error', { max: 400 }],
      eqeqeq: 'error',
    },
  },
  { files: ['src/**/*.test.{ts,tsx}'], rules: { 'max-lines-per-function': 'off' } },
  // A page never imports another page.
  {
    files: ['src/pages/**/*.{ts,tsx}'],
    rules: {
      'no-restricted-imports': ['error', {
        patterns: [
          { group: ['uplot', 'uplot/*'], message: 'Only charts/ imports uPlot.' },
          { regex: '^\\.\\./(?!\\.\\./)', message: 'A page never imports another page.' },
        ],
      }],
    },
  },
  ...direction,
);
