#!/usr/bin/env bash
# The baseline table on every recorded file, and time and memory beside a plain numpy replay in the same run.
# Usage: BREVET_DATA=FOLDER bench/eval/run.sh OUT [SEEDS]      (needs build/release/brevet: scripts/run makes it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out="${1:?name a folder for the results}"
seeds="${2:-20}"
data="${BREVET_DATA:?BREVET_DATA names the folder of recorded outcomes}"
brevet="${BREVET_BINARY:-build/release/brevet}"
python="${BREVET_NUMPY:-third_party/reference/bin/python}"
mkdir -p "$out"
pair=mistralai/Mixtral-8x7B-Instruct-v0.1,gpt-4-1106-preview
weak=Meta-Llama-3_1-8B-Instruct
uiuc=mistral-7b-instruct-v0.3,llama3-chatqa-1.5-8b,llama3-chatqa-1.5-70b,codegemma-7b,qwen2.5-7b-instruct,gemma-2-9b-it
uiuc+=,llama-3.1-8b-instruct,llama-3.3-nemotron-super-49b-v1,llama-3.1-nemotron-51b-instruct
bench=mistralai/mixtral-8x7b-chat,mistralai/mistral-7b-chat,WizardLM/WizardLM-13B-V1.2,meta/code-llama-instruct-34b-chat
bench+=,meta/llama-2-70b-chat,zero-one-ai/Yi-34B-Chat,gpt-3.5-turbo-1106,claude-instant-v1,claude-v1,claude-v2,gpt-4-1106-preview
cascade=gpt-4o-mini,llama3.2-1b,llama3.2-3b,llama3.1-8b,qwen2.5-32b-coder-instruct,llama3.1-70b,qwen2.5-72b-instruct
cascade+=,llama3.1-405b,gpt-4o
common=(--prices "$data/prices_assumed.json" --strategies rar,adaptive --seeds "$seeds")
timed() { /usr/bin/env time -f '%e s, %U s of CPU, %M KiB at most' "$@"; }

timed "$brevet" eval "${common[@]}" --json "$out/table.json" --report "$out/table.html" \
  --data "$data/routellm_mmlu.jsonl.gz@$pair" --data "$data/routellm_gsm8k.jsonl.gz@$pair" \
  --data "$data/routellm_mt_bench.jsonl.gz@$pair" --data "$data/mmlu_pro.jsonl.gz@$weak,gemini-1.5-pro-002" \
  --data "$data/mmlu_pro.jsonl.gz@$weak,Meta-Llama-3_1-70B-Instruct" --data "$data/llmrouter_uiuc.jsonl.gz@$uiuc" \
  --data "$data/routerbench_sample.jsonl.gz@$bench" --data "$data/cascade_logprob_mmlu.jsonl.gz@$cascade" | tee "$out/table.txt"
timed "$brevet" eval "${common[@]}" --json "$out/without_hsm.json" --report "$out/without_hsm.html" \
  --data "$data/routellm_mmlu.jsonl.gz@$pair" --without-subject high_school_mathematics | tee "$out/without_hsm.txt"
# Eight strategies, each a stream over all questions in every order; then the same questions in numpy: two strategies, one
# order, so its seconds are to be multiplied.
timed "$brevet" eval --prices "$data/prices_assumed.json" --seeds "$seeds" --no-dials --fit-labels 0 --calibration-labels 0 \
  --json "$out/speed.json" --data "$data/routellm_mmlu.jsonl.gz@$pair" --strategies \
  'rar,rar{tau_skill=.7},rar{tau_skill=.6},adaptive,adaptive{min_agreement=.8},adaptive{strong_share=.3},random_mixture{strong_share=.3}' \
  2>&1 | tee "$out/speed.txt" # and exact_lookup, which is always there
timed "$python" bench/eval/numpy_replay.py "$data/routellm_mmlu.jsonl.gz" ${pair/,/ } 1 2>&1 | tee "$out/numpy.txt"
