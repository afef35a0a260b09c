import { Button, Menu } from '@mantine/core';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useLabelValues } from '../../api/catalog';
import { useInstant } from '../../api/query';
import { Choices } from '../../components/Choices';
import { Icon } from '../../components/Icon';
import { Meter } from '../../components/Meter';
import { ChartPanel } from '../../components/panel/ChartPanel';
import { setParam } from '../../components/shell/setParam';
import { useScope } from '../../components/scope/useScope';
import { hostFilters, hostVitals } from '../../lib/golden';
import { selector } from '../../lib/promql';
import { rateWindow } from '../../lib/step';
import { formatValue } from '../../lib/units';
import { pointsOf } from '../../lib/values';
import { getLocation, navigate } from '../../state/location';
import classes from './Overview.module.css';

function HostMenu({ hosts, chosen }: { readonly hosts: readonly string[]; readonly chosen: string }) {
  const { t } = useTranslation();
  const choose = (host: string) => {
    const { path, search } = getLocation();
    navigate(path, setParam(search, 'host', host), 'replace');
  };
  return (
    <Menu position="bottom-start">
      <Menu.Target>
        <Button variant="default" size="compact-xs" rightSection={<Icon name="down" size={12} />} aria-label={t('host.choose', { host: chosen })}>{chosen}</Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Choices choices={hosts.slice(0, 50).map((host) => ({ id: host, text: host }))} chosen={chosen} onChoose={choose} />
      </Menu.Dropdown>
    </Menu>
  );
}

function Disks({ fullness }: { readonly fullness: string }) {
  const { t } = useTranslation();
  const { moment } = useScope();
  const answer = useInstant(fullness, moment);
  const disks = pointsOf(answer.data?.result).sort((a, b) => b.value - a.value).slice(0, 8);
  return (
    <section className={classes.card} aria-labelledby="disks-title">
      <h3 id="disks-title" className={classes.smallTitle}>{t('host.fullness')}</h3>
      {disks.length === 0 && <p className={classes.dim}>{t('panel.empty')}</p>}
      {disks.map(({ labels, value }) => (
        <Meter key={labels['mountpoint']} label={labels['mountpoint'] ?? ''} share={value} text={formatValue(value, 'ratio')}
          tone={value >= 0.95 ? 'bad' : value >= 0.85 ? 'warn' : 'ok'} />
      ))}
    </section>
  );
}

/** This machine's vital signs; says so if nothing reports any. */
export function HostVitals({ scrapeMs }: { readonly scrapeMs: number }) {
  const { t } = useTranslation();
  const { scope, range, params, windowFor } = useScope();
  const found = useLabelValues({
    name: 'instance', match: selector('node_load1', hostFilters(scope.filters)), window: { key: `${scope.from}|${scope.to}`, ...range },
  });
  const hosts = found.data ?? [];
  const asked = params.get('host');
  const local = hosts.find((host) => /^(127\.|localhost|\[::1\])/.test(host));
  const chosen = (asked !== null && hosts.includes(asked) ? asked : undefined) ?? local ?? hosts[0];
  const windowMs = rateWindow(windowFor(240).stepMs, scrapeMs);
  const v = useMemo(() => hostVitals(chosen ?? '', windowMs), [chosen, windowMs]);
  if (chosen === undefined) {
    return found.isPending ? null : <p className={classes.dim}>{t('host.none')}</p>;
  }
  const frame = { height: 120, minStepMs: Math.min(scrapeMs, 15_000) };
  return (
    <section aria-labelledby="host-title" className={classes.block}>
      <header className={classes.cardHead}>
        <h2 id="host-title">{chosen === local || hosts.length === 1 ? t('host.thisMachine') : t('host.machine')}</h2>
        <HostMenu hosts={hosts} chosen={chosen} />
      </header>
      <div className={classes.charts}>
        <ChartPanel title={t('host.cpu')} unit="ratio" stacked queries={[{ expr: v.cpu }]} headline="sum" {...frame} />
        <ChartPanel title={t('host.load')} unit="short"
          queries={[{ expr: v.load[0], name: '1 min' }, { expr: v.load[1], name: '5 min' }, { expr: v.load[2], name: '15 min' }, { expr: v.cores, name: t('host.cores') }]} {...frame} />
        <ChartPanel title={t('host.memory')} unit="bytes" queries={[{ expr: v.memoryUsed, name: t('host.used') }, { expr: v.memoryTotal, name: t('host.total') }]} {...frame} />
        <ChartPanel title={t('host.disk')} unit="bytesPerSecond" queries={[{ expr: v.diskRead, name: t('host.read') }, { expr: v.diskWritten, name: t('host.written') }]} {...frame} />
        <ChartPanel title={t('host.network')} unit="bytesPerSecond" queries={[{ expr: v.received, name: t('host.received') }, { expr: v.sent, name: t('host.sent') }]} {...frame} />
        <ChartPanel title={t('host.pressure')} help={t('help.pressure')} unit="ratio"
          queries={[{ expr: v.pressureCpu, name: 'CPU' }, { expr: v.pressureMemory, name: t('host.memory') }, { expr: v.pressureIo, name: 'I/O' }]} {...frame} />
      </div>
      <Disks fullness={v.fullness} />
    </section>
  );
}
