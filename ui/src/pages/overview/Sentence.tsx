import { Skeleton } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { ToneIcon } from '../../components/ToneIcon';
import { summarize, type Clause, type ModelRow, type Tone } from '../../lib/overview';
import { formatValue } from '../../lib/units';
import classes from './Overview.module.css';

type Translate = ReturnType<typeof useTranslation>['t'];

function clauseText(t: Translate, clause: Clause): string {
  switch (clause.kind) {
    case 'serving': return t('overview.serving', { count: clause.count });
    case 'idle': return t('overview.idle', { count: clause.count });
    case 'errorsBelow': return t('overview.errorsBelow', { limit: formatValue(clause.limit, 'ratio') });
    case 'errorsOf': return t('overview.errorsOf', { model: clause.model, ratio: formatValue(clause.ratio, 'ratio') });
    case 'kvFull': return t('overview.kvFull', { model: clause.model, ratio: formatValue(clause.ratio, 'ratio') });
    case 'waiting': return t('overview.waiting', { model: clause.model, count: Math.round(clause.count) });
    case 'slowest': return t('overview.slowest', { model: clause.model, time: formatValue(clause.seconds, 'seconds') });
  }
}

export interface SentenceProps {
  readonly rows: readonly ModelRow[];
  readonly loading: boolean;
  readonly failed: boolean;
}

/** The state of serving in one sentence. */
export function Sentence({ rows, loading, failed }: SentenceProps) {
  const { t } = useTranslation();
  if (failed) return <h1 className={classes.sentence}><ToneIcon tone="idle" size={24} />{t('overview.unknown')}</h1>;
  if (loading) return <Skeleton height={27} width="min(640px, 100%)" mb={10} role="status" aria-label={t('common.loading')} />;
  const { tone, clauses } = summarize(rows);
  const words: Readonly<Record<Tone, string>> = { ok: t('tone.ok'), warn: t('tone.warn'), bad: t('tone.bad'), idle: t('tone.idle') };
  const text = clauses.map((clause) => clauseText(t, clause)).join(t('overview.glue')) + t('overview.stop');
  return (
    <h1 className={classes.sentence}>
      <ToneIcon tone={tone} size={24} label={words[tone]} />
      <span>{text}</span>
    </h1>
  );
}
