import { createRoot } from 'react-dom/client';
import { PREFIX } from './api/client';
import { App } from './app';
import { pickLanguage, startI18n } from './lib/i18n';
import { startLocation } from './state/location';
import { savedLanguage } from './state/saved';

async function start(): Promise<void> {
  startLocation(PREFIX);
  const asked = new URLSearchParams(window.location.search).get('lang');
  await startI18n(pickLanguage(asked, savedLanguage(), navigator.languages));
  const root = document.getElementById('root');
  if (root) createRoot(root).render(<App />);
}

void start();
