import { Skeleton } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { ApiError } from '../../api/client';
import { useConfigYaml } from '../../api/status';
import { CopyButton } from '../../components/CopyButton';
import { PanelMessage } from '../../components/panel/PanelMessage';
import { yamlTokens, type YamlToken } from '../../lib/yaml';
import classes from './Status.module.css';

const CLASS: Readonly<Record<YamlToken['kind'], string | undefined>> = {
  key: classes.yamlKey, comment: classes.yamlComment, secret: classes.yamlSecret, text: undefined,
};

/** The configuration that the server runs with, secrets left out by the server. */
export function ConfigView() {
  const { t } = useTranslation();
  const answer = useConfigYaml();
  if (answer.data === undefined) {
    return answer.error instanceof ApiError
      ? <PanelMessage state={{ kind: 'error', error: answer.error }} height={200} />
      : <Skeleton height={240} role="status" aria-label={t('common.loading')} />;
  }
  return (
    <section className={classes.card}>
      <header className={classes.head}>
        <h2>{t('status.config')}</h2>
        <CopyButton text={answer.data} label={t('first.copyConfig')} />
      </header>
      <pre className={classes.yaml} tabIndex={0}>
        {answer.data.split('\n').map((line, i) => (
          <div key={i}>{yamlTokens(line).map((token, at) => <span key={at} className={CLASS[token.kind]}>{token.text}</span>)}{'\n'}</div>
        ))}
      </pre>
    </section>
  );
}
