// What keeps a call, a worker or a byte within its bounds, and how each is taken out.
import { checkpoints, pictures } from "./mutations-files.mjs";
import { lifetime, policy } from "./mutations-policy.mjs";
import { wire } from "./mutations-wire.mjs";

export const MUTATIONS = [...policy, ...lifetime, ...wire, ...pictures, ...checkpoints];
