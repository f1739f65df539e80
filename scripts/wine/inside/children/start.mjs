// Starts a worker, and is killed meanwhile.
import { createClassifier } from "isotorch";
import { WEIGHTS } from "../harness.mjs";

await createClassifier({ weights: WEIGHTS, env: process.argv[2] });
