/** An SVG path through a column, from zero (or the minimum, if negative) to the maximum; gaps lift the pen. */
export function sparkPath(column: readonly (number | null)[], width: number, height: number): string {
  const known = column.filter((v): v is number => v !== null);
  if (known.length === 0) return '';
  const low = Math.min(0, ...known);
  const span = Math.max(...known) - low || 1;
  const x = (i: number) => ((i / Math.max(1, column.length - 1)) * (width - 2) + 1).toFixed(1);
  const y = (v: number) => (height - 1.5 - ((v - low) / span) * (height - 3)).toFixed(1);
  let path = '';
  let pen = false;
  column.forEach((v, i) => {
    if (v === null) {
      pen = false;
      return;
    }
    path += `${pen ? 'L' : 'M'}${x(i)} ${y(v)}`;
    // A lone point still leaves a mark.
    if (!pen && (column[i + 1] ?? null) === null) path += 'h1';
    pen = true;
  });
  return path;
}
