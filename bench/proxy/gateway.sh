#!/usr/bin/env bash
# The real gateway in front of one upstream, as the benches start it: BINARY UPSTREAM_URL PORT.
# Everything is as a user has it by default (store on disk, decisions kept, metrics, learning queue); only the limit of
# calls in flight is raised, as it is for nginx, so that 1,000 connections and 2,000 streams are served and not refused.
set -euo pipefail
binary=${1:?binary} url=${2:?upstream} port=${3:?port}
dir=$(mktemp -d)
cat >"$dir/brevet.yaml" <<YAML
server: {threads: ${THREADS:-1}, data_dir: $dir/data, log: warn}
models:
  m: {base_url: $url/v1, price: {input: 0.15, output: 0.60}, concurrent_max: 4000}
  large: {base_url: $url/v1, price: {input: 2.00, output: 8.00}, concurrent_max: 4000}
routes:
  auto: {candidates: [m, large]}
YAML
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
exec "$binary" serve --config "$dir/brevet.yaml" --port "$port"
