#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 64-bit ARM, cross-compiled and emulated: every C test on the plainest processor, the kernels on newer ones too, so that
# each instruction set's code runs and none leaks into the code for an older one.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
full=cortex-a57
others="cortex-a76 neoverse-n1 max"
root=$PWD/build/arm64-root

# The target's libraries come as unpacked packages in a folder of their own: nothing of the machine is changed, and
# packages that cannot be installed for two architectures at once do no harm.
sysroot() {
    # "a|b": the first that the distribution has.
    local needs=(libprotobuf-c-dev libprotobuf-c1 "libjpeg62-turbo-dev|libjpeg-turbo8-dev"
        "libjpeg62-turbo|libjpeg-turbo8" libspng-dev "libspng0|libspng0t64" zlib1g-dev zlib1g libxxhash-dev
        libxxhash0 libjansson-dev libjansson4
        libpthreadpool-dev "libpthreadpool0|libpthreadpool0t64" libcmocka-dev libcmocka0) names=() need name
    if [ -f "$root/complete" ] && [ "$(cat "$root/complete")" = "${needs[*]}" ]; then
        echo "the target's libraries are there"
        return
    fi
    rm -rf "$root"
    mkdir -p "$root"/apt/{lists/partial,cache/archives/partial} "$root/debs"
    : >"$root/apt/status"
    local apt=(-q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State="$root/apt"
        -o Dir::State::Lists="$root/apt/lists" -o Dir::State::status="$root/apt/status" -o Dir::Cache="$root/apt/cache"
        -o APT::Sandbox::User=root -o Acquire::Retries=3)
    if grep -qi '^ID=ubuntu' /etc/os-release; then
        # Ubuntu keeps its ports on another host than the main archive.
        local code
        code=$(. /etc/os-release && echo "$VERSION_CODENAME")
        printf 'deb http://ports.ubuntu.com/ubuntu-ports %s main universe\n' "$code" "$code-updates" "$code-security" \
            >"$root/apt/sources.list"
        apt+=(-o Dir::Etc::sourcelist="$root/apt/sources.list" -o Dir::Etc::sourceparts=-)
    fi
    apt-get "${apt[@]}" update
    for need in "${needs[@]}"; do
        for name in ${need//|/ }; do
            if [[ $(apt-cache "${apt[@]}" policy "$name" 2>/dev/null) =~ Candidate:\ [^\(] ]]; then
                names+=("$name")
                continue 2
            fi
        done
        echo "no package ${need//|/ or } for arm64"
        return 1
    done
    (cd "$root/debs" && apt-get "${apt[@]}" download "${names[@]}")
    for deb in "$root"/debs/*.deb; do
        dpkg-deb -x "$deb" "$root"
    done
    # Links to absolute places would leave the folder.
    find "$root/usr/lib" -type l -lname '/*' | while read -r link; do
        ln -sf "$root$(readlink "$link")" "$link"
    done
    rm -rf "$root/debs" "$root/apt"
    echo "${needs[*]}" >"$root/complete"
}

command -v aarch64-linux-gnu-gcc >/dev/null || { echo "no arm64 cross compiler (tools/setup.sh --slow)"; exit 1; }
command -v qemu-aarch64 >/dev/null || command -v qemu-aarch64-static >/dev/null ||
    { echo "no qemu-aarch64 (tools/setup.sh --slow)"; exit 1; }
step "libraries" sysroot
step "configure" configure build/arm64 -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/toolchains/aarch64-linux-gnu.cmake" \
    -DFERRY_SYSROOT="$root"
step "build" build build/arm64
file -b build/arm64/libferry.so.*.*.* 2>/dev/null || true
status=0
export QEMU_CPU=$full
title="$QEMU_CPU tests" run_tests build/arm64 -L '^c$' || status=1
for QEMU_CPU in $others; do
    title="$QEMU_CPU tests" run_tests build/arm64 -L '^c$' -R '^(kernels|backend)/' || status=1
done
exit $status
