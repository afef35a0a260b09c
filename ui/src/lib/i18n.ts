import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';

export const LANGUAGES = [
  { id: 'en', name: 'English' },
  { id: 'zh-CN', name: '简体中文' },
] as const;

export type Language = (typeof LANGUAGES)[number]['id'];

const LOADERS: Readonly<Record<Language, () => Promise<{ default: object }>>> = {
  en: () => import('./locales/en.json'),
  'zh-CN': () => import('./locales/zh-CN.json'),
};

/** The best of our languages for a wish such as `zh-Hans-CN`; undefined if we have none of it. */
export function matchLanguage(wish: string | null | undefined): Language | undefined {
  if (!wish) return undefined;
  const exact = LANGUAGES.find(({ id }) => id.toLowerCase() === wish.toLowerCase());
  if (exact) return exact.id;
  const short = wish.toLowerCase().split('-')[0];
  return LANGUAGES.find(({ id }) => id.toLowerCase().split('-')[0] === short)?.id;
}

/** `?lang=`, then what was chosen before, then what the browser asks for. */
export function pickLanguage(fromUrl: string | null, saved: string | undefined, wishes: readonly string[]): Language {
  for (const wish of [fromUrl, saved, ...wishes]) {
    const found = matchLanguage(wish);
    if (found) return found;
  }
  return 'en';
}

async function load(language: Language): Promise<void> {
  if (i18next.hasResourceBundle(language, 'translation')) return;
  i18next.addResourceBundle(language, 'translation', (await LOADERS[language]()).default);
}

export async function startI18n(language: Language): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: language, resources: {}, fallbackLng: false, interpolation: { escapeValue: false }, returnNull: false,
    // A key without a text is a mistake of ours: the tests fail on it, and nobody reads a bare key in silence.
    saveMissing: true,
    missingKeyHandler: (_languages, _namespace, key) => console.error(`missing i18n key ${key}`),
    react: { useSuspense: false },
  });
  await switchLanguage(language);
}

export async function switchLanguage(language: Language): Promise<void> {
  await load(language);
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}
