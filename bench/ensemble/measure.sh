#!/usr/bin/env bash
# Makes the tables of docs/ensembles-measured.md from the recorded files in $BREVET_DATA. Needs a build with
# -DBREVET_BENCH=ON; its folder is the argument (default build/release).
set -euo pipefail
cd "$(dirname "$0")/../.."
data="${BREVET_DATA:?set BREVET_DATA to the folder of the recorded files}"
measure="${1:-build/release}/bench/ensemble_measure"
[ -x "$measure" ] || measure="${1:-build/release}/ensemble_measure"
echo "## Votes (self_consistency_date)"
"$measure" vote "$data/self_consistency_date.jsonl.gz" 3
echo "## Agreement of several models (mmlu_pro with mmlu_pro_responses)"
"$measure" panel "$data/mmlu_pro.jsonl.gz" "$data/mmlu_pro_responses.jsonl.gz"
echo "## A forest chooses (more)"
echo "| experts | questions fitted / held out | best expert | agreement | forest | over best expert | over agreement | oracle | accuracy of the surest 50% / 80% |"
echo "|---|---|---|---|---|---|---|---|---|"
"$measure" more "$data/self_consistency_date.jsonl.gz" - gpt-3.5-turbo:cot1 gpt-3.5-turbo:cot2 gpt-3.5-turbo:pot1 gpt-3.5-turbo:pot2
"$measure" more "$data/mmlu_pro.jsonl.gz" "$data/mmlu_pro_responses.jsonl.gz" Phi-3-mini-4k-instruct Mixtral-8x7B-Instruct-v0.1 Meta-Llama-3_1-8B-Instruct
"$measure" more "$data/routellm_mt_bench.jsonl.gz" - mistralai/Mixtral-8x7B-Instruct-v0.1 martian-router unify-router gpt-4-1106-preview
