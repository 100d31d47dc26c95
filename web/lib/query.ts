// Parameters of a page's address.
export type Search = Promise<Record<string, string | string[] | undefined>>;

/** The value of a parameter; the first, where somebody gave several. */
export function one(value: string | string[] | undefined): string | undefined {
  const first = Array.isArray(value) ? value[0] : value;
  return first === undefined || first === "" ? undefined : first;
}
