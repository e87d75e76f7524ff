#!/usr/bin/env bash
# Building, shared by scripts/run and scripts/test: brevet_build PRESET [TARGET...] configures when needed, builds, and
# says what it is doing in one line. Sourced after deps.sh.

# The compiler cache works across clones: paths below the root count as relative.
export CCACHE_BASEDIR="$DEPS_ROOT" CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE="${CCACHE_MAXSIZE:-10G}"

brevet_build() {
  local preset="$1" folder="$DEPS_ROOT/build/$1" log="$DEPS_ROOT/build/$1.log" jobs="${BREVET_BUILD_JOBS:-$(nproc)}"
  shift
  mkdir -p "$DEPS_ROOT/build"
  if [ ! -f "$folder/build.ninja" ]; then
    printf '[build] configuring preset %s\n' "$preset" >&2
    (cd "$DEPS_ROOT" && cmake --preset "$preset" -DBREVET_THIRD_PARTY="$BREVET_THIRD_PARTY" >"$log" 2>&1) ||
      { tail -n 30 "$log" >&2; return 1; }
  fi
  local started=$SECONDS targets=("$@")
  [ ${#targets[@]} = 0 ] && targets=(all)
  if [ -t 2 ]; then
    printf '[build] preset %s, %s jobs\n' "$preset" "$jobs" >&2
    cmake --build "$folder" -j "$jobs" --target "${targets[@]}" || return 1
  else
    printf '[build] preset %s, %s jobs (log: %s)\n' "$preset" "$jobs" "${log#"$DEPS_ROOT"/}" >&2
    cmake --build "$folder" -j "$jobs" --target "${targets[@]}" >"$log" 2>&1 || { tail -n 60 "$log" >&2; return 1; }
  fi
  printf '[build] preset %s done in %s s\n' "$preset" "$((SECONDS - started))" >&2
}
