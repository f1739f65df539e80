#!/usr/bin/env bash
# The GPU path in one run on a machine with a CUDA GPU and a torch of its own: builds, checks against the CPU, measures.
#
#   bench/gpu.sh [--device cuda|cuda:N|cpu] [--python PATH] [--out DIR] [--quick]
#
# Needs no network. Node (with node_modules beside this checkout) is used for the part through the whole product where it
# is there; WHEELS=DIR names a folder with wheels of pyzmq, msgpack and Pillow for a Python that lacks them.
# With --device cpu it is a rehearsal: every line runs that needs no GPU. Writes DIR/gpu.json and DIR/gpu.txt.
# Exit code: 0, or 1 when a check failed.
set -euo pipefail
cd "$(dirname "$0")/.."

device=cuda python=python3 out=bench/gpu-out quick=()
while [ $# -gt 0 ]; do
  case "$1" in
    --device) device=$2; shift 2 ;;
    --python) python=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --quick) quick=(--quick); shift ;;
    *) echo "gpu.sh: unknown argument $1" >&2; exit 2 ;;
  esac
done
mkdir -p "$out"
status=0

"$python" -c 'import torch, torchvision' || { echo "gpu.sh: $python has no torch and torchvision" >&2; exit 3; }
if ! "$python" -c 'import zmq, msgpack, PIL' 2>/dev/null; then
  if [ -n "${WHEELS:-}" ]; then
    "$python" -m venv --system-site-packages "$out/venv"
    # A venv made from a venv sees the base only: what torch came with is added by its path.
    site=$("$python" -c 'import os, torch; print(os.path.dirname(os.path.dirname(torch.__file__)))')
    echo "$site" > "$("$out/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch.pth"
    "$out/venv/bin/python" -m pip install --quiet --no-index --find-links "$WHEELS" pyzmq msgpack Pillow
    python=$(pwd)/$out/venv/bin/python
    case "$out" in /*) python=$out/venv/bin/python ;; esac
  else
    echo "SKIPPED: the part with Node (pyzmq, msgpack or Pillow is missing, and WHEELS names no folder)"
  fi
fi

{
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv || true
  else
    echo "nvidia-smi is not there"
  fi
  checkpoint="$out/untrained-0.pth"
  [ -f "$checkpoint" ] || "$python" -I python/isotorch_worker/__main__.py make --seed 0 --out "$checkpoint"
  OMP_WAIT_POLICY=PASSIVE "$python" bench/gpu.py --checkpoint "$checkpoint" --device "$device" --json "$out/gpu.json" \
    ${quick[@]+"${quick[@]}"} || status=1

  if ! command -v node >/dev/null || [ ! -d node_modules ]; then
    echo "SKIPPED: parity through the whole product (Node or node_modules is not there)"
  elif ! "$python" -c 'import zmq, msgpack, PIL' 2>/dev/null; then
    echo "SKIPPED: parity through the whole product (the worker's packages are not there)"
  else
    npm run --silent build
    for handoff in tensor pixels encoded; do
      node dist/cli/main.js parity examples/images --weights untrained:0 --device "$device" --handoff "$handoff" \
        --python "$python" || status=1
    done
  fi
  echo "exit code: $status"
  # The braces may run in a shell of their own, whose variables end with it.
  echo "$status" > "$out/status"
} 2>&1 | tee "$out/gpu.txt"
exit "$(cat "$out/status")"
