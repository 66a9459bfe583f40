#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The ordinary test programs on emulated older x86 processors: an instruction that strayed into code for all of them
# ends the program here, before it does so at a user's. The programs are those that test.sh built.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
if [ "$(uname -m)" != x86_64 ]; then
    echo "this machine is no x86-64: there is no older one to emulate"
    exit 0
fi
qemu=$(command -v qemu-x86_64 || command -v qemu-x86_64-static) || { echo "no qemu-x86_64 (tools/setup.sh --slow)"; exit 1; }
mapfile -t programs < <(find build/test/tests -maxdepth 1 -type f -executable \
    \( -name 'backend_*' -o -name 'kernels_*' -o -name 'runtime_*' -o -name 'base_*' \) | sort)
[ ${#programs[@]} -gt 0 ] || { echo "no test program: run ./test.sh first"; exit 1; }
export FERRY_SOURCE_DIR=$PWD FERRY_BUILD_DIR=$PWD/build/test FERRY_TEST_MODELS=$PWD/out/models FERRY_TEST_DATA=

on_cpu() {
    local log
    if log=$("$1" -cpu "$2" "$3" 2>&1); then
        echo "$2 $(basename "$3"): passed"
    else
        tail -n 20 <<<"$log"
        echo "$2 $(basename "$3"): FAILED"
        return 1
    fi
}
export -f on_cpu
# Nehalem has SSE4.2 and no AVX; Haswell has AVX2 and FMA, and no AVX-512.
for cpu in Nehalem Haswell; do
    step "$cpu" xargs -d '\n' -n 1 -P "$jobs" bash -c 'on_cpu "$@"' - "$qemu" $cpu < <(printf '%s\n' "${programs[@]}")
done
