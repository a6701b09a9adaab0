#!/bin/bash
# Loads each server of compose.yaml in turn, by the harness: first as fast as it answers, then at a fixed rate with both
# operations. What the harness measured is left as JSON in /results, one file a server and load.
#
# RATE, DURATION and CONNECTIONS say how. One server failing does not keep the others from being loaded.
set -euo pipefail

results="${RESULTS:-/results}"
rate="${RATE:-500}"
duration="${DURATION:-10s}"
connections="${CONNECTIONS:-50}"
failed=()

for target in "$@"; do
    name="${target%%:*}"
    echo "== $name: closed loop"
    harness load "http://$target/simple" --connections "$connections" --duration "$duration" \
        --export-json "$results/$name-closed.json" || failed+=("$name (closed loop)")
    echo "== $name: $rate requests a second, a tenth of them complex"
    harness load "http://$target" --rate "$rate" --poisson --mix 'simple=0.9,complex?iterations=1e6=0.1' \
        --connections "$connections" --duration "$duration" \
        --export-json "$results/$name-open.json" || failed+=("$name (open loop)")
done

if [ "${#failed[@]}" -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
