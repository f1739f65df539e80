"""A Ray cluster of two nodes on one machine, by Ray's own test utility, with the application on it.

Reads the application's settings as one line of JSON, then a command a line; answers each with a line of JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
PACKAGE = str(Path(__file__).parents[2] / "python")
sys.path.insert(0, PACKAGE)
os.environ["PYTHONPATH"] = PACKAGE

import ray  # noqa: E402
from ray import serve  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402
from ray.util.state import list_actors  # noqa: E402

from isotorch_worker.ray import ray_app  # noqa: E402

STORE = 80 * 1024 * 1024


def main() -> None:
    settings = json.loads(sys.stdin.readline())
    node = {"num_cpus": 1, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": True})
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.WARNING)
    second = cluster.add_node(**node)
    cluster.wait_for_nodes()
    ray_app.start_http(settings)
    say(deployed(settings, 1))
    for line in sys.stdin:
        command = line.split()
        if command[0] == "scale":
            say(deployed(settings, int(command[1])))
        elif command[0] == "kill":
            (victim, *_) = replicas()
            ray.kill(ray.get_actor(victim.name, namespace=victim.ray_namespace), no_restart=True)
            say({"killed": victim.pid})
        elif command[0] == "remove":
            cluster.remove_node(second)
            say({"removed": True})
        elif command[0] == "state":
            say({"replicas": placed(), "nodes": alive()})
        elif command[0] == "metrics":
            say({"lines": measured()})
        else:
            break
    serve.shutdown()
    ray.shutdown()
    cluster.shutdown()
    say({"down": True})


def deployed(settings: dict[str, Any], count: int) -> dict[str, Any]:
    serve.run(ray_app.application({**settings, "replicas": count}), name=ray_app.APP, route_prefix="/")
    end = time.monotonic() + 60
    while len(replicas()) != count and time.monotonic() < end:
        time.sleep(0.5)
    return {"replicas": placed(), "nodes": alive()}


def replicas() -> list[Any]:
    found = list_actors(filters=[("state", "=", "ALIVE")], detail=True, limit=100)
    return [actor for actor in found if actor.class_name.startswith("ServeReplica")]


def placed() -> list[dict[str, Any]]:
    return [{"pid": actor.pid, "node": actor.node_id} for actor in replicas()]


def measured() -> list[str]:
    """Our lines of what the nodes export for Prometheus."""
    lines: list[str] = []
    for node in ray.nodes():
        if node["Alive"]:
            address = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}"
            with urllib.request.urlopen(address, timeout=10) as response:
                lines += response.read().decode().splitlines()
    return [line for line in lines if line.startswith("ray_isotorch_")]


def alive() -> int:
    return sum(1 for node in ray.nodes() if node["Alive"])


def say(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


main()
