import { ActionIcon, Tooltip } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';
import { useTranslation } from 'react-i18next';
import { Icon } from './Icon';

export interface CopyButtonProps {
  readonly text: string;
  /** What is copied: "Copy the command". */
  readonly label: string;
}

export function CopyButton({ text, label }: CopyButtonProps) {
  const { t } = useTranslation();
  const clipboard = useClipboard({ timeout: 1500 });
  const shown = clipboard.copied ? t('common.copied') : label;
  return (
    <Tooltip label={shown}>
      <ActionIcon variant="subtle" color="gray" size={26} aria-label={shown} onClick={() => clipboard.copy(text)}>
        <Icon name={clipboard.copied ? 'check' : 'copy'} />
      </ActionIcon>
    </Tooltip>
  );
}
