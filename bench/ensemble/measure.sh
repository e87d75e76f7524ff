#!/usr/bin/env bash
# Makes the tables of docs/ensembles-measured.md from the recorded files in $BREVET_DATA. Needs a build with
# -DBREVET_BENCH=ON; its folder is the argument (default build/release).
set -euo pipefail
cd "$(dirname "$0")/../.."
data="${BREVET_DATA:?set BREVET_DATA to the folder of the recorded files}"
measure="${1:-build/release}/bench/ensemble_measure"
[ -x "$measure" ] || measure="${1:-build/release}/ensemble_measure"
echo "## Votes (self_consistency_date)"
"$measure" vote "$data/self_consistency_date.jsonl.gz" 20
echo "## Agreement of several models (mmlu_pro with mmlu_pro_responses)"
"$measure" panel "$data/mmlu_pro.jsonl.gz" "$data/mmlu_pro_responses.jsonl.gz"
