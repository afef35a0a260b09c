import type { MouseEvent, ReactNode } from 'react';
import { carriedParams } from '../lib/scope';
import { hrefOf, navigate, useLocation } from '../state/location';

export interface LinkProps {
  readonly to: string;
  /** Search parameters besides the scope, which every link carries. */
  readonly search?: URLSearchParams;
  readonly className?: string | undefined;
  readonly children: ReactNode;
  readonly 'aria-label'?: string;
  readonly 'aria-current'?: 'page' | undefined;
  readonly title?: string;
  readonly onClick?: () => void;
}

/** A link within Sonde. The scope goes along; a click with a modifier opens a tab, as for any link. */
export function Link({ to, search, children, onClick, ...rest }: LinkProps) {
  const here = useLocation();
  const params = carriedParams(new URLSearchParams(here.search));
  for (const [key, value] of search ?? []) params.append(key, value);
  const target = params.toString();
  const follow = (event: MouseEvent) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    onClick?.();
    navigate(to, target);
    window.scrollTo(0, 0);
  };
  return <a href={hrefOf(to, target)} onClick={follow} {...rest}>{children}</a>;
}
