/** The types of lit-html name a package that it does not come with. */
declare module "trusted-types/lib/index.js" {
  export type TrustedHTML = object;
}
