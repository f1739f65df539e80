import type { Description } from "../flags/description.ts";
import { ENVIRONMENT, NETWORK } from "./shared.ts";

const ADDRESS = {
  value: "ADDRESS",
  about: "a cluster that runs, as ray.init takes it: auto, HOST:6379 or ray://HOST:10001",
};

export const UP: Description = {
  summary: "the network on Ray Serve: replicas on one machine or many",
  usage: "--ray",
  examples: [
    "isotorch up --ray --replicas 2                  # a cluster on this machine, until Ctrl-C",
    "isotorch up --ray --address auto --replicas 1-8 # on a cluster that runs; `isotorch down` removes it",
  ],
  text: `Ray comes from PyPI into an environment of its own, the first time. Clients reach it as any server:
createClassifier({ remote: "http://127.0.0.1:8000" }). A token is read from ISOTORCH_TOKEN; without one everybody
who reaches the port is answered. Each node needs the checkpoint under the same path.`,
  groups: [
    {
      flags: {
        ray: { about: "Ray Serve; there is nothing else so far" },
        replicas: {
          value: "N|N-M",
          about: "how many (default 1); 1-8 scales between one and eight on the length of the queue",
        },
        address: ADDRESS,
        cpus: { value: "N", about: "CPUs that Ray reserves for a replica, also a part of one (default 1)" },
        gpus: { value: "N", about: "GPUs for a replica, also a part of one (default 0)" },
        host: { value: "H", about: "where its HTTP side listens (default 127.0.0.1)" },
        port: { value: "N", about: "default 8000" },
      },
    },
    NETWORK,
    ENVIRONMENT,
  ],
};

export const DOWN: Description = {
  summary: "take the network off a Ray cluster that goes on",
  usage: "--address ADDRESS",
  examples: ["isotorch down --address auto"],
  groups: [{ flags: { address: ADDRESS } }],
};
