#!/usr/bin/env bash
# RAR and adaptive on recorded answers of real models, and with simulated guides. Writes one JSON file per run into OUT.
# Usage: BREVET_DATA=FOLDER bench/rar/run.sh OUT [ORDERS]      (needs build/release/brevet: scripts/run makes it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out="${1:?name a folder for the results}"
orders="${2:-10}"
data="${BREVET_DATA:?BREVET_DATA names the folder of recorded outcomes}"
brevet="${BREVET_BINARY:-build/release/brevet}"
mkdir -p "$out"
pro=(--data "$data/mmlu_pro.jsonl.gz" --models Meta-Llama-3_1-8B-Instruct,gemini-1.5-pro-002 --prices "$data/prices_assumed.json"
  --no-guides --embeddings "$out/mmlu_pro.embeddings")
mmlu=(--data "$data/routellm_mmlu.jsonl.gz" --models mistralai/Mixtral-8x7B-Instruct-v0.1,gpt-4-1106-preview
  --prices "$data/prices_assumed.json" --no-guides --embeddings "$out/routellm_mmlu.embeddings" --in-process)
run() { # name, arguments
  local name="$1"; shift
  [ -s "$out/$name.json" ] && { echo "== $name: there already"; return; }
  echo "== $name"
  "$brevet" play "$@" --json "$out/$name.json" | tee "$out/$name.txt"
}
run stages_http "${pro[@]}" --concurrency 2 --subset 2000 --stages 5 --orders 3 --seed 11 --bootstrap 0 \
  --strategies exact_lookup rar 'adaptive{strong_share=.8}' 'adaptive{strong_share=.5}'
run pass_http "${pro[@]}" --concurrency 2 --seed 11 --strategies exact_lookup rar 'adaptive{strong_share=.8}' 'adaptive{strong_share=.5}'
run pass_orders "${pro[@]}" --in-process --orders "$orders" --seed 11 \
  --strategies 'adaptive{strong_share=.8}' 'adaptive{strong_share=.5}' 'rar{tau_skill=.7}' 'rar{tau_skill=.6}'
run mmlu_stages "${mmlu[@]}" --subset 2000 --stages 5 --seed 11 --bootstrap 0 --strategies exact_lookup rar 'adaptive{strong_share=.8}'
run mmlu_pass "${mmlu[@]}" --orders 3 --seed 11 --strategies 'adaptive{strong_share=.8}' 'adaptive{strong_share=.5}' 'rar{tau_skill=.7}'
run mmlu_pass_without_hsm "${mmlu[@]}" --without-subject high_school_mathematics --orders 3 --seed 11 \
  --strategies 'adaptive{strong_share=.8}' 'adaptive{strong_share=.5}' 'rar{tau_skill=.7}'
for arm in none useful placebo; do
  flags=()
  [ $arm = none ] && flags=(--no-guides)
  [ $arm = placebo ] && flags=(--profile bench/profiles/placebo.json)
  run "guides_$arm" --subset 6000 --embeddings "$out/simulated.embeddings" --in-process "${flags[@]}" --strategies rar adaptive
done
