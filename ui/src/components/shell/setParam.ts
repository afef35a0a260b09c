/** A search string with one parameter set, or removed. */
export function setParam(search: string, name: string, value: string | undefined): string {
  const params = new URLSearchParams(search);
  if (value === undefined) params.delete(name);
  else params.set(name, value);
  return params.toString();
}
