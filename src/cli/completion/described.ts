import type { Description } from "../flags/description.ts";

/** Commands by name. */
export type Described = readonly (readonly [name: string, description: Description])[];
