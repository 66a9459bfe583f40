#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The main job, from nothing: a PyTorch classifier becomes an FP32 and an INT8 engine for this machine, and both name
# what is on photographs. Steps that are done and whose inputs are unchanged are not done again.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: ./demo.sh [--fresh] [--no-install] [--output DIR]
  --fresh        forget earlier results (downloads are kept)
  --no-install   take the machine as it is: no apt-get
  --output DIR   everything made goes there (default: out/demo)
TEXT
}
fresh=no
install=yes
out=out/demo
while [ $# -gt 0 ]; do
    case $1 in
    --fresh) fresh=yes ;;
    --no-install) install=no ;;
    --output) out=$(realpath -m "${2:?--output needs a folder}") && shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done
cd "$(dirname "$0")"
source tools/ci/lib.sh
mkdir -p "$out"

[ $install = no ] || step "packages" tools/setup.sh --demo
step "python and torch" tools/demo/venv.sh "$out/venv"
# What follows needs no network: this is the part that is promised to take less than three minutes.
started=$SECONDS
step "ferry" configure build/release -DFERRY_BUILD_TESTS=OFF
build build/release
options=()
[ $fresh = no ] || options+=(--fresh)
"$out/venv/bin/python" tools/demo/main_job.py --ferry build/release/ferry --output "$out" "${options[@]}"
echo "all of it, after the downloads: $((SECONDS - started)) s"
