#!/usr/bin/env bash
# What scripts/test --full adds to scripts/test; sourced by it (step, ctest_in and brevet_build come from there).

# Folders whose tests run threads against each other and have passed under ThreadSanitizer.
TSAN_FOLDERS="base features net upstream store memory learning gateway server"

clients_ready() {
  # The official clients, pinned, outside git.
  local folder="$BREVET_THIRD_PARTY/clients" key
  key="$(cat tests/clients/versions)"
  [ "$(cat "$folder/.stamp" 2>/dev/null)" = "$key" ] && return 0
  rm -rf "$folder" && mkdir -p "$folder/node" || return 1
  . tests/clients/versions
  python3 -m venv "$folder/python" &&
    "$folder/python/bin/pip" --disable-pip-version-check install -q "openai==$OPENAI_PYTHON" &&
    (cd "$folder/node" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund "openai@$OPENAI_NODE") &&
    echo "$key" >"$folder/.stamp"
}

full_steps() {
  export BREVET_BINARY="$DEPS_ROOT/build/dev/brevet"
  step tidy scripts/tidy
  step tokenizer-reference "$BREVET_THIRD_PARTY/reference/bin/python" tests/tokenizer_reference.py
  step encoder-reference "$BREVET_THIRD_PARTY/reference/bin/python" tests/encoder_reference.py
  step metrics-reference "$BREVET_THIRD_PARTY/reference/bin/python" tests/metrics_reference.py
  step clients-install clients_ready
  step client-python "$BREVET_THIRD_PARTY/clients/python/bin/python" tests/clients/openai_python.py
  export BREVET_NODE_MODULES="$BREVET_THIRD_PARTY/clients/node/node_modules"
  step client-node python3 tests/clients/openai_node.py
  step kill-under-load python3 tests/kill_under_load.py 30
  step real-small-model python3 tests/local_model.py
  if brevet_build asan; then ctest_in build/asan asan; else failed=$((failed + 1)); failures+=("asan build"); fi
  local targets=() folder pattern=""
  for folder in $TSAN_FOLDERS; do
    compgen -G "src/$folder/*_test.cc" >/dev/null && targets+=("${folder}_test")
  done
  if brevet_build tsan "${targets[@]}"; then
    for folder in "${targets[@]}"; do
      step "tsan-$folder" env TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1" "build/tsan/$folder" --gtest_brief=1
    done
  else
    failed=$((failed + 1)); failures+=("tsan build")
  fi
  step fuzz scripts/fuzz 10
}
