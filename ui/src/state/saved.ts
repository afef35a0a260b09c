// What the browser keeps for the next visit. Storage may be full or forbidden: then nothing is kept.

function readSaved(key: string): string | undefined {
  try {
    return window.localStorage.getItem(`sonde.${key}`) ?? undefined;
  } catch {
    return undefined;
  }
}

function save(key: string, value: string): void {
  try {
    window.localStorage.setItem(`sonde.${key}`, value);
  } catch {
    // Not kept.
  }
}

export const savedLanguage = (): string | undefined => readSaved('language');
export const saveLanguage = (language: string): void => save('language', language);

/** Shortcuts of one letter get in the way of speech input: they can be switched off. */
export const lettersOn = (): boolean => readSaved('letters') !== 'off';
export const saveLetters = (on: boolean): void => save('letters', on ? 'on' : 'off');

const HISTORY = 'queries';
const KEPT = 50;

/** Past queries, newest first. */
export function savedQueries(): string[] {
  try {
    const parsed: unknown = JSON.parse(readSaved(HISTORY) ?? '[]');
    return Array.isArray(parsed) ? parsed.filter((q): q is string => typeof q === 'string') : [];
  } catch {
    return [];
  }
}

export function rememberQuery(expr: string): void {
  const text = expr.trim();
  if (text === '') return;
  save(HISTORY, JSON.stringify([text, ...savedQueries().filter((q) => q !== text)].slice(0, KEPT)));
}

export const forgetQueries = (): void => save(HISTORY, '[]');
