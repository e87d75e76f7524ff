#!/usr/bin/env bash
# Cascades on recorded answers: docs/cascades-measured.md is written from what this prints.
#
# bench/cascade/run.sh DATA_FOLDER OUT_FOLDER [SPLITS]
# DATA_FOLDER holds the recorded files (docs/recorded-and-simulated.md says which); BREVET is the binary.
set -euo pipefail
data="$1"
out="$2"
splits="${3:-50}"
brevet="${BREVET:-build/release/brevet}"
mkdir -p "$out"

measure() { # NAME ARGUMENTS...
  local name="$1"
  shift
  [ -s "$out/$name.md" ] && return 0 # a later run goes on where the last one ended
  echo "== $name" >&2
  "$brevet" cascade --splits "$splits" --out "$out/$name.md.part" "$@" >/dev/null
  mv "$out/$name.md.part" "$out/$name.md"
}

mmlu="$data/cascade_logprob_mmlu.jsonl.gz"
# Question, cost and log-probability.
measure mmlu_4o --data "$mmlu@gpt-4o-mini,gpt-4o"
measure mmlu_llama --data "$mmlu@llama3.1-8b,llama3.1-70b,llama3.1-405b"
measure mmlu_llama_two --data "$mmlu@llama3.1-8b,llama3.1-70b"
measure mmlu_mixed --data "$mmlu@gpt-4o-mini,qwen2.5-72b-instruct,gpt-4o"
# The list is chosen among nine; states of all nine are too many for cascade routing.
splits_before=$splits
splits=$((splits > 20 ? 20 : splits))
measure mmlu_nine --data \
  "$mmlu@llama3.2-1b,llama3.2-3b,gpt-4o-mini,llama3.1-8b,llama3.1-70b,qwen2.5-32b-coder-instruct,qwen2.5-72b-instruct,gpt-4o,llama3.1-405b"
splits=$splits_before
# Answers' texts.
measure mmlu_pro_flash --data "$data/mmlu_pro.jsonl.gz@gemini-1.5-flash-002,gemini-1.5-pro-002" \
  --responses "$data/mmlu_pro_responses.jsonl.gz" --prices "$data/prices_assumed.json" \
  --fit-labels 1500 --calibration-labels 1000
measure mmlu_pro_llama --data "$data/mmlu_pro.jsonl.gz@Meta-Llama-3_1-8B-Instruct,Meta-Llama-3_1-70B-Instruct" \
  --responses "$data/mmlu_pro_responses.jsonl.gz" --prices "$data/prices_assumed.json" \
  --fit-labels 1500 --calibration-labels 1000
measure routerbench --data "$data/routerbench_sample.jsonl.gz@mistralai/mixtral-8x7b-chat,gpt-3.5-turbo-1106,gpt-4-1106-preview"
cat "$out"/*.md
