import { localStorageColorSchemeManager, MantineProvider, type MantineColorScheme } from '@mantine/core';
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import './app.css';
import { ApiError } from './api/client';
import { Shell } from './components/shell/Shell';
import { Router } from './router';
import { serverState } from './state/app';
import { resolver, theme } from './theme';

function noteFailure(error: unknown): void {
  if (!(error instanceof ApiError) || !error.isOutage) return;
  serverState.set(error.kind === 'offline' ? 'offline' : 'replaying');
}

const client = new QueryClient({
  queryCache: new QueryCache({ onError: noteFailure }),
  mutationCache: new MutationCache({ onError: noteFailure }),
  defaultOptions: { queries: { retry: false, refetchOnWindowFocus: false, refetchOnReconnect: true, staleTime: 10_000, networkMode: 'always' } },
});

const SCHEMES: readonly MantineColorScheme[] = ['light', 'dark', 'auto'];
const saved = localStorageColorSchemeManager({ key: 'sonde.theme' });
const fromUrl = SCHEMES.find((scheme) => scheme === new URLSearchParams(window.location.search).get('theme'));

/** `?theme=` wins for this visit, else what was chosen before. */
const schemeManager = { ...saved, get: (standard: MantineColorScheme) => fromUrl ?? saved.get(standard) };

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={resolver} defaultColorScheme="auto" colorSchemeManager={schemeManager}>
      <QueryClientProvider client={client}>
        <Shell><Router /></Shell>
      </QueryClientProvider>
    </MantineProvider>
  );
}
