#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the distribution's packages that ferry needs and that are missing, on Debian 12 and Ubuntu 22.04 and 24.04.
# As root, or with sudo. Where everything is there already, it asks apt for nothing and needs no rights.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tools/setup.sh [--tests] [--demo] [--slow] [--dry-run]
  (nothing)   what building ferry needs
  --tests     and what the tests need (cmocka, ONNX's test vectors, clang-format, ...)
  --demo      and what the main job needs (Python; PyTorch when none is installed)
  --slow      and what the slow tier of the continuous integration needs (clang, qemu, an arm64 cross compiler)
  --dry-run   only say what is missing; exit status 1 if something is
TEXT
}

# One need a word; "a|b" is met by either package, the first that the distribution knows is installed.
needs="cmake pkg-config gcc libc6-dev make libprotobuf-c-dev protobuf-c-compiler libjpeg-dev
       libspng-dev libxxhash-dev libjansson-dev"
dry_run=no
for argument in "$@"; do
    case $argument in
    --tests) needs+=" g++ ninja-build libcmocka-dev libonnx-testdata python3 python3-venv
                      clang-format-14|clang-format git binutils man-db mandoc" ;;
    --demo) needs+=" python3 python3-venv torch" ;;
    --slow) needs+=" clang libclang-rt-dev|libclang-rt-18-dev|libclang-rt-14-dev|libclang-common-14-dev llvm
                     gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user|qemu-user-static" ;;
    --dry-run) dry_run=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "setup: unknown option $argument" >&2; usage >&2; exit 2 ;;
    esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "setup: this script knows Debian and Ubuntu; elsewhere install by hand: $needs" >&2
    exit 1
fi

installed() {
    [[ $(dpkg-query -W -f='${db:Status-Status} ' "$1" 2>/dev/null) == *installed\ * ]]
}

# Word lists are split on purpose here and below.
missing=()
for need in $needs; do
    if [ "$need" = torch ]; then
        # Any torch that the main job's interpreters can import is as good as the distribution's.
        for python in python3 /usr/bin/python3; do
            "$python" -c 'import torch' >/dev/null 2>&1 && continue 2
        done
        need=python3-torch
    fi
    for package in ${need//|/ }; do
        installed "$package" && continue 2
    done
    missing+=("$need")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "setup: every package needed is installed"
    exit 0
fi
echo "setup: missing: ${missing[*]}"
[ $dry_run = no ] || exit 1

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: run this as root, or install sudo" >&2
        exit 1
    fi
    as_root="sudo"
fi
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -q "$@"
}
known() {
    [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]
}

echo "setup: apt-get update"
apt update
packages=()
for need in "${missing[@]}"; do
    chosen=
    for package in ${need//|/ }; do
        if known "$package"; then
            chosen=$package
            break
        fi
    done
    if [ -z "$chosen" ] && [ "$need" = python3-torch ]; then
        echo "setup: this distribution has no python3-torch; the main job will take PyPI's"
        continue
    fi
    if [ -z "$chosen" ]; then
        echo "setup: no package named ${need//|/ or } is known to apt (on Ubuntu: is the universe component enabled?)" >&2
        exit 1
    fi
    packages+=("$chosen")
done
[ ${#packages[@]} -gt 0 ] || exit 0
echo "setup: apt-get install ${packages[*]}"
apt install -y --no-install-recommends "${packages[@]}"
