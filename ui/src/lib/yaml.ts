export interface YamlToken {
  readonly kind: 'key' | 'comment' | 'secret' | 'text';
  readonly text: string;
}

/** Cuts a line of YAML into what is coloured. For reading only: no judgement on whether it is valid. */
export function yamlTokens(line: string): YamlToken[] {
  const found = /^(\s*(?:- )*)([^\s#:'"][^:#]*:)(\s.*|)$/.exec(line);
  if (/^\s*#/.test(line)) return [{ kind: 'comment', text: line }];
  if (!found) return [{ kind: 'text', text: line }];
  const [, indent = '', key = '', value = ''] = found;
  const tokens: YamlToken[] = [];
  if (indent !== '') tokens.push({ kind: 'text', text: indent });
  tokens.push({ kind: 'key', text: key });
  if (value !== '') tokens.push({ kind: value.includes('<secret>') ? 'secret' : 'text', text: value });
  return tokens;
}
