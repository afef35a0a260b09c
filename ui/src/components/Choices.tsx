import { Menu } from '@mantine/core';
import { Icon } from './Icon';

export interface Choice {
  readonly id: string;
  readonly text: string;
}

export interface ChoicesProps {
  readonly choices: readonly Choice[];
  readonly chosen: string;
  readonly onChoose: (id: string) => void;
}

/** One of several, in a menu. */
export function Choices({ choices, chosen, onChoose }: ChoicesProps) {
  return (
    <Menu.RadioGroup value={chosen} onChange={onChoose}>
      {choices.map(({ id, text }) => (
        <Menu.RadioItem key={id} value={id} closeMenuOnClick checkIcon={<Icon name="check" size={14} />}>{text}</Menu.RadioItem>
      ))}
    </Menu.RadioGroup>
  );
}
