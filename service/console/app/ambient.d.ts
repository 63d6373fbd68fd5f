/** What is there when the page runs, and what the type checker does not know of. */

interface JSON {
  /** With a reviver that sees each number as it is written: a double does not hold what exceeds 2^53. */
  parse(
    text: string,
    reviver: (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
}

/** The types of lit-html name a package that it does not come with. */
declare module "trusted-types/lib/index.js" {
  export type TrustedHTML = object;
}
