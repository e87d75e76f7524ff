#!/usr/bin/env bash
# CPU per request of a proxy against nginx as a reverse proxy, in front of the same nginx upstream, in one run.
# Usage: bench/proxy/passthrough.sh PROGRAM [SECONDS] [CONNECTIONS...]
#   PROGRAM is called as PROGRAM UPSTREAM_URL PORT and must proxy every request (build/release/bench/proxy_loop),
#   or is a shell command with {url} and {port} in it, such as a gateway with a generated configuration.
# Environment: ROUNDS (3), TARGET (/v1/chat/completions), WORKERS (1: nginx processes and gateway threads), RATE (requests
# a second offered to each; empty = as many as it takes). Needs nginx and wrk. Prints microseconds of CPU
# (user + system, all threads) per request, the median of the rounds, and the ratio.
set -euo pipefail
program=${1:?program}
seconds=${2:-5}
shift $(($# < 2 ? $# : 2))
connections=("${@:-64}")
[ $# -gt 0 ] || connections=(64 1000)
rounds=${ROUNDS:-3}
workers=${WORKERS:-1}
export THREADS=$workers
target=${TARGET:-/v1/chat/completions}
dir=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT
ulimit -n 8192
export TMPDIR=$dir # what the program leaves behind goes with the rest

port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
upstream_port=$(port) nginx_port=$(port) our_port=$(port)

body=$(python3 - <<'PY'
import json
text = "The answer follows from the definition, step by step. " * 12
print(json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 200, "completion_tokens": 130, "total_tokens": 330}}))
PY
)
common="daemon off; error_log $dir/error.log; events { worker_connections 8192; }"
http="access_log off; client_body_temp_path $dir/b; proxy_temp_path $dir/p; fastcgi_temp_path $dir/f;
  uwsgi_temp_path $dir/u; scgi_temp_path $dir/s; keepalive_requests 1000000000; keepalive_timeout 300s;"
cat >"$dir/upstream.conf" <<CONF
worker_processes 1; $common pid $dir/upstream.pid;
http { $http default_type application/json;
  server { listen 127.0.0.1:$upstream_port backlog=4096; location / { return 200 '$body'; } } }
CONF
cat >"$dir/proxy.conf" <<CONF
worker_processes $workers; $common pid $dir/proxy.pid;
http { $http
  upstream u { server 127.0.0.1:$upstream_port; keepalive 2048; keepalive_requests 1000000000; keepalive_timeout 300s; }
  server { listen 127.0.0.1:$nginx_port backlog=4096;
    location / { proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; } } }
CONF
cat >"$dir/post.lua" <<'LUA'
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model":"m","messages":[{"role":"user","content":"' .. string.rep("Which of these is true? ", 42) .. '"}]}'
LUA
# The same offered load to both: every connection waits so long before its next request. Without it the faster proxy
# is asked more often, and the slower one pays for waking peers that have nothing else to do.
if [ -n "${RATE:-}" ]; then
  echo "function delay() return math.floor(1000 * tonumber(os.getenv('CONNECTIONS')) / $RATE * (0.5 + math.random())) end" >>"$dir/post.lua"
fi

start() {
  "$@" >>"$dir/out.log" 2>&1 &
  pids+=($!)
  last=$!
}
start nginx -p "$dir" -c "$dir/upstream.conf"
start nginx -p "$dir" -c "$dir/proxy.conf"
nginx_pid=$last
if [[ $program == *"{port}"* ]]; then
  command=${program//\{port\}/$our_port}
  start bash -c "exec ${command//\{url\}/http://127.0.0.1:$upstream_port}"
else
  start "$program" "http://127.0.0.1:$upstream_port" "$our_port"
fi
our_pid=$last
for p in "$upstream_port" "$nginx_port" "$our_port"; do
  for _ in $(seq 300); do
    curl -s -o /dev/null "http://127.0.0.1:$p/" && break
    sleep 0.1
  done
  curl -s -o /dev/null "http://127.0.0.1:$p/" || {
    echo "nothing answers on port $p:" >&2
    cat "$dir/out.log" >&2
    exit 1
  }
done

# Clock ticks of a process and its children (nginx's worker is a child of its master).
ticks() {
  local total=0 pid
  for pid in "$1" $(pgrep -P "$1" || true); do
    total=$((total + $(awk '{sub(/.*\) /, ""); print $12 + $13}' "/proc/$pid/stat")))
  done
  echo "$total"
}
hz=$(getconf CLK_TCK)
# measure PID PORT CONNECTIONS -> "microseconds requests/s errors"
measure() {
  local before after out requests
  export CONNECTIONS=$3
  wrk -t1 -c"$3" -d1 -s "$dir/post.lua" "http://127.0.0.1:$2$target" >/dev/null
  before=$(ticks "$1")
  out=$(wrk -t1 -c"$3" -d"$seconds" -s "$dir/post.lua" "http://127.0.0.1:$2$target")
  after=$(ticks "$1")
  requests=$(awk '/requests in/ {print $1}' <<<"$out")
  local errors
  errors=$(awk '/Non-2xx/ {print $NF} /Socket errors/ {gsub(/[^0-9 ]/, ""); print $1 + $2 + $3 + $4}' <<<"$out" | paste -sd+ - | sed 's/^$/0/')
  awk -v t=$((after - before)) -v hz="$hz" -v n="$requests" -v s="$seconds" -v e="$errors" \
    'BEGIN {printf "%.2f %.0f %s\n", t / hz * 1e6 / n, n / s, e}'
}
median() { sort -g | awk '{a[NR] = $1} END {print a[int((NR + 1) / 2)]}'; }

echo "# $(date -u +%FT%TZ) $(nproc) cores, $(nginx -v 2>&1), wrk -t1${RATE:+, $RATE requests/s offered}, ${seconds}s x $rounds rounds, $workers worker(s) each, 1.1 kB POST, load $(cut -d' ' -f1 /proc/loadavg)"
for c in "${connections[@]}"; do
  : >"$dir/nginx.txt"
  : >"$dir/ours.txt"
  for round in $(seq "$rounds"); do
    n=$(measure "$nginx_pid" "$nginx_port" "$c")
    o=$(measure "$our_pid" "$our_port" "$c")
    echo "$n" >>"$dir/nginx.txt"
    echo "$o" >>"$dir/ours.txt"
    echo "connections $c round $round: nginx (us/request, requests/s, errors) $n | ours $o"
  done
  awk -v c="$c" -v n="$(median <"$dir/nginx.txt")" -v o="$(median <"$dir/ours.txt")" \
    'BEGIN {printf "connections %d: nginx %.2f us, ours %.2f us, ratio %.2f\n", c, n, o, o / n}'
done
