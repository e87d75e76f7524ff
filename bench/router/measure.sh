#!/usr/bin/env bash
# Everything that docs/routers-measured.md says of routers, piece by piece: each piece is one `brevet eval` with its own JSON, and one that is
# there already is not run again, so an interrupted run goes on where it stopped.
# Usage: BREVET_DATA=FOLDER bench/router/measure.sh OUT [PIECE...]     (needs build/release/brevet; `... OUT list` names the pieces)
# BREVET_PREFIX is put before every command (nice, taskset, a queue of your own).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out="${1:?name a folder for the results}"
shift
data="${BREVET_DATA:?BREVET_DATA names the folder of recorded outcomes}"
brevet="${BREVET_BINARY:-build/release/brevet}"
mkdir -p "$out"

pair=mistralai/Mixtral-8x7B-Instruct-v0.1,gpt-4-1106-preview
llama=Meta-Llama-3_1-8B-Instruct,Meta-Llama-3_1-70B-Instruct
gemini=gemini-1.5-flash-002,gemini-1.5-pro-002
uiuc=mistral-7b-instruct-v0.3,llama3-chatqa-1.5-8b,llama3-chatqa-1.5-70b,codegemma-7b,qwen2.5-7b-instruct,gemma-2-9b-it
uiuc+=,llama-3.1-8b-instruct,llama-3.3-nemotron-super-49b-v1,llama-3.1-nemotron-51b-instruct
bench=mistralai/mixtral-8x7b-chat,mistralai/mistral-7b-chat,WizardLM/WizardLM-13B-V1.2,meta/code-llama-instruct-34b-chat
bench+=,meta/llama-2-70b-chat,zero-one-ai/Yi-34B-Chat,gpt-3.5-turbo-1106,claude-instant-v1,claude-v1,claude-v2,gpt-4-1106-preview
routers='average3,ensemble,knn{trained=true},mlp,svm,sw_ranking,mf,bert_head,hybrid_det,zooter,cluster,uniroute'
many='ensemble,knn{trained=true},mlp,svm,zooter,cluster,uniroute'
common=(--seeds 1 --no-dials --no-transfer --no-decisions --prices "$data/prices_assumed.json")

declare -a names=()
declare -A said=()
piece() { # NAME ARGUMENTS...
  local name="$1"
  shift
  names+=("$name")
  said[$name]="$(printf '%q ' "$@")"
}

piece mmlu --data "$data/routellm_mmlu.jsonl.gz@$pair" --strategies "$routers" --fit-labels 1500 --splits 20 "${common[@]}"
piece mmlu_without_hsm --data "$data/routellm_mmlu.jsonl.gz@$pair" --strategies "$routers" --fit-labels 1500 --splits 20 \
  --without-subject high_school_mathematics "${common[@]}"
piece curve_low --data "$data/routellm_mmlu.jsonl.gz@$pair" --strategies "$routers" --fit-labels 500,1500 --splits 10 \
  --without-subject high_school_mathematics "${common[@]}"
piece curve_high --data "$data/routellm_mmlu.jsonl.gz@$pair" --strategies "$routers" --fit-labels 500,1500,4000,8000 --splits 5 \
  --without-subject high_school_mathematics "${common[@]}"
piece gsm8k --data "$data/routellm_gsm8k.jsonl.gz@$pair" --strategies "$routers" --fit-labels 600 --calibration-labels 100 --splits 20 "${common[@]}"
piece pro_llama --data "$data/mmlu_pro.jsonl.gz@$llama" --strategies "$routers" --fit-labels 1500 --splits 10 "${common[@]}"
piece pro_gemini --data "$data/mmlu_pro.jsonl.gz@$gemini" --strategies "$routers" --fit-labels 1500 --splits 10 "${common[@]}"
piece routerbench --data "$data/routerbench_sample.jsonl.gz@$bench" --strategies "$many" --fit-labels 200 --calibration-labels 50 --splits 20 "${common[@]}"
piece uiuc --data "$data/llmrouter_uiuc.jsonl.gz@$uiuc" --strategies "$many" --fit-labels 1500 --splits 5 "${common[@]}"
hybrid='hybrid_det,hybrid_prob,hybrid_trans,bert_head,knn{trained=true}'
piece hybrid_mt_bench --data "$data/routellm_mt_bench.jsonl.gz@$pair" --strategies "$hybrid" --fit-labels 64 --calibration-labels 0 --splits 20 \
  "${common[@]}"
date="$data/self_consistency_date.jsonl.gz"
piece hybrid_date --data "$date@gpt-3.5-turbo:cot1,gpt-4:cot1" --data "$date@llama-2-13b:cot1,gpt-4:cot1" \
  --data "$date@llama-2-13b:cot1,gpt-3.5-turbo:pot1" --strategies "$hybrid" --fit-labels 180 --calibration-labels 40 --splits 20 "${common[@]}"
piece transfer --strategies 'ensemble,knn{trained=true},svm,mf,bert_head,hybrid_det' --fit-labels 1500 --bootstrap 300 \
  --data "$data/routellm_mmlu.jsonl.gz@$pair" --data "$data/routellm_gsm8k.jsonl.gz@$pair" --data "$data/mmlu_pro.jsonl.gz@$llama" \
  --data "$data/mmlu_pro.jsonl.gz@$gemini" --data "$data/llmrouter_uiuc.jsonl.gz@mistral-7b-instruct-v0.3,llama-3.1-nemotron-51b-instruct" \
  --data "$data/routerbench_sample.jsonl.gz@mistralai/mixtral-8x7b-chat,gpt-4-1106-preview" \
  --seeds 1 --no-dials --no-decisions --prices "$data/prices_assumed.json"
for kind in ensemble knn svm bert_head mf; do
  plain="$kind"
  [ "$kind" != knn ] || plain='knn{trained=true}'
  splits=6
  [ "$kind" != ensemble ] || splits=4
  piece "ablation_$kind" --data "$data/routellm_mmlu.jsonl.gz@$pair" --fit-labels 1500 --splits $splits --bootstrap 400 \
    --strategies "$plain,$kind{inputs=shape},$kind{labels=weak_fails},$kind{labels=wins},$kind{labels=decided}" \
    --without-subject high_school_mathematics "${common[@]}"
done
# What a static encoder, distilled from the sentence encoder without a look at the data, loses.
static="$out/minilm.static"
for kind in ensemble knn svm bert_head mf; do
  plain="$kind"
  [ "$kind" != knn ] || plain='knn{trained=true}'
  splits=6
  [ "$kind" != ensemble ] || splits=4
  piece "static_$kind" --data "$data/routellm_mmlu.jsonl.gz@$pair" --fit-labels 1500 --splits $splits --bootstrap 400 \
    --strategies "$plain,$kind{inputs=static}" --static-encoder "$static" --without-subject high_school_mathematics "${common[@]}"
done
piece static_uiuc --data "$data/llmrouter_uiuc.jsonl.gz@$uiuc" --fit-labels 1500 --splits 3 --bootstrap 200 \
  --strategies 'ensemble,ensemble{inputs=static},knn{trained=true},knn{inputs=static},svm,svm{inputs=static}' --static-encoder "$static" "${common[@]}"

wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || wanted=("${names[@]}")
if [ "${wanted[0]}" = list ]; then
  printf '%s\n' "${names[@]}"
  exit 0
fi
for name in "${wanted[@]}"; do
  [ -n "${said[$name]:-}" ] || { echo "no piece '$name'; see: $0 OUT list" >&2; exit 2; }
  [ ! -s "$out/$name.json" ] || { echo "$name: there already"; continue; }
  eval "set -- ${said[$name]}"
  case "$name" in static_*) [ -s "$static" ] || "$brevet" encoder distil --out "$static" ;; esac
  started=$SECONDS
  ${BREVET_PREFIX:-} "$brevet" eval "$@" --json "$out/$name.part" > "$out/$name.txt" 2> "$out/$name.log"
  mv "$out/$name.part" "$out/$name.json"
  echo "$name: $((SECONDS - started)) s"
done
