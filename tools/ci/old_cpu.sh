#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An instruction that strayed into code for all processors ends the program at a user's. So the test programs run here on
# an emulated old processor, and the compiled code of every file is looked through for what its name does not allow.
# Both look at what test.sh built.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
if [ "$(uname -m)" != x86_64 ]; then
    echo "this machine is no x86-64: there is no older one to emulate"
    exit 0
fi
qemu=$(command -v qemu-x86_64 || command -v qemu-x86_64-static) || { echo "no qemu-x86_64 (tools/setup.sh --slow)"; exit 1; }
# NVIDIA's compiler is none of ours, and takes minutes there.
mapfile -t programs < <(find build/test/tests -maxdepth 1 -type f -executable ! -name kernels_test_cuda_compile \
    \( -name 'backend_*' -o -name 'kernels_*' -o -name 'runtime_*' -o -name 'base_*' \) | sort)
[ ${#programs[@]} -gt 0 ] || { echo "no test program: run ./test.sh first"; exit 1; }
export FERRY_SOURCE_DIR=$PWD FERRY_BUILD_DIR=$PWD/build/test FERRY_TEST_MODELS=$PWD/out/models FERRY_TEST_DATA=

on_cpu() {
    local log status=0
    log=$(FERRY_EMULATOR=$1 "$1" -cpu "$2" "$3" 2>&1) || status=$?
    if [ $status -eq 0 ]; then
        echo "$2 $(basename "$3"): passed"
    elif [ $status -eq 77 ]; then
        echo "$2 $(basename "$3"): $(tail -n 1 <<<"$log")"
    else
        tail -n 20 <<<"$log"
        echo "$2 $(basename "$3"): FAILED"
        return 1
    fi
}
export -f on_cpu
# SSE4.2 and no AVX. (Newer ones are not emulated: qemu reads all of a masked load, also beyond the end of memory.)
step "Nehalem" xargs -d '\n' -n 1 -P "$jobs" bash -c 'on_cpu "$@"' - "$qemu" Nehalem < <(printf '%s\n' "${programs[@]}")

# strays OBJECT PATTERN: instructions of the object that match.
strays() {
    local found
    found=$(objdump -d --no-show-raw-insn "$1" | grep -E "$2" | head -n 3 || true)
    [ -z "$found" ] || printf '%s:\n%s\n' "${1##*ferry_objects.dir/}" "$found"
}
look_through() {
    local said count=0
    said=$(find build/test/CMakeFiles/ferry_objects.dir -name '*.o' | while read -r object; do
        case $object in
        *_avx512*.c.o) ;;
        *_avx2.c.o) strays "$object" '%zmm|%k[0-7]|%[xy]mm(1[6-9]|2[0-9]|3[01])' ;;
        *) strays "$object" '%[yz]mm|%k[0-7]|\sv[a-z]+[0-9]*[a-z]*\s.*%xmm' ;;
        esac
    done)
    count=$(find build/test/CMakeFiles/ferry_objects.dir -name '*.o' | wc -l)
    if [ -n "$said" ] || [ "$count" -eq 0 ]; then
        echo "$said"
        echo "instructions beyond what the files' names allow, in $count objects: FAILED"
        return 1
    fi
    echo "$count objects: no instruction beyond what the files' names allow"
}
step "instructions" look_through
