#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each libFuzzer target, sanitized, for a minute from its kept corpus; two at a time.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
seconds=${FERRY_FUZZ_SECONDS:-60}
step "configure" configure build/fuzz -DCMAKE_C_COMPILER=clang -DFERRY_BUILD_FUZZERS=ON -DFERRY_BUILD_TESTS=OFF \
    -DFERRY_BUILD_TOOLS=OFF -DFERRY_SANITIZE=address,undefined -DCMAKE_C_FLAGS_RELEASE="-O1 -g1"
step "build" build build/fuzz
export ASAN_OPTIONS=allocator_may_return_null=1

fuzz_one() {
    local target=$1 name
    name=$(basename "$target")
    # What is found goes to the first folder; the kept corpus is only read.
    local corpora=("build/fuzz/corpus/$name")
    mkdir -p "${corpora[0]}" "build/fuzz/found/$name"
    [ ! -d "fuzz/corpus/${name#fuzz_}" ] || corpora+=("fuzz/corpus/${name#fuzz_}")
    if "$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/found/$name/" "${corpora[@]}" >"build/fuzz/$name.log" 2>&1; then
        echo "$name: $(sed -nE 's/.*number_of_executed_units: *//p' "build/fuzz/$name.log") runs, nothing found"
    else
        tail -n 40 "build/fuzz/$name.log"
        echo "$name: FAILED; the input lies in build/fuzz/found/$name"
        return 1
    fi
}
export -f fuzz_one
export seconds
mapfile -t targets < <(find build/fuzz/fuzz -maxdepth 1 -type f -executable -name 'fuzz_*' | sort)
[ ${#targets[@]} -gt 0 ] || { echo "no fuzz target was built"; exit 1; }
step "fuzz ${#targets[@]} targets for $seconds s each" xargs -d '\n' -n 1 -P "$jobs" bash -c 'fuzz_one "$1"' - \
    < <(printf '%s\n' "${targets[@]}")
