#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Compares ferry with PyTorch on a GPU of another machine. Here: puts all that it takes into a folder. There: runs it.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: bench/device.sh pack FOLDER [BUILD]   gather the command, its libraries and gpu.py (default build: build/test)
       FOLDER/device.sh run [OPTION...]      on the machine with the GPU: what gpu.py takes, see --help
       FOLDER/device.sh ferry ARGS...        on that machine: the command itself
The machine needs an NVIDIA driver, and for `run` a python3 with torch, torchvision and onnx.
TEXT
}

# Everything that is not part of any Linux machine's C library.
pack() {
    local folder=$1 build=${2:-build/test} here
    here=$(cd "$(dirname "$0")" && pwd)
    mkdir -p "$folder/lib"
    cp "$here/device.sh" "$here/gpu.py" "$folder/"
    cp "$build/ferry" "$folder/lib/ferry"
    ldd "$build/ferry" | awk '$3 ~ /^\// { print $3 }' | grep -vE '/(libc|libm|libdl|libpthread|librt)\.so' |
        while read -r library; do cp -L "$library" "$folder/lib/"; done
    strip "$folder"/lib/*
    du -sh "$folder"
}

# The runtime compiler and cuBLASLt lie beside PyTorch where no CUDA toolkit is installed.
beside_pytorch() {
    python3 - "$1" <<'PY'
import glob, os, sys, sysconfig
for path in sorted(glob.glob(os.path.join(sysconfig.get_paths()["purelib"], "nvidia/*/lib", sys.argv[1]))):
    print(path)
    break
PY
}

find_libraries() {
    local found
    if [ -z "${FERRY_LIBNVRTC:-}" ] && ! ldconfig -p | grep -q libnvrtc.so; then
        found=$(beside_pytorch 'libnvrtc.so.1?')
        if [ -n "$found" ]; then export FERRY_LIBNVRTC=$found; fi
    fi
    if [ -z "${FERRY_LIBCUBLASLT:-}" ] && ! ldconfig -p | grep -q libcublasLt.so; then
        found=$(beside_pytorch 'libcublasLt.so.1?')
        if [ -n "$found" ]; then export FERRY_LIBCUBLASLT=${found%/*}; fi
    fi
}

folder=$(cd "$(dirname "$0")" && pwd)
case ${1:-} in
pack)
    [ $# -ge 2 ] || { usage >&2; exit 2; }
    pack "$2" "${3:-build/test}"
    ;;
run | ferry)
    [ -x "$folder/lib/ferry" ] || { echo "$0: there is no lib/ferry beside it; make the folder with pack" >&2; exit 1; }
    verb=$1
    shift
    find_libraries
    export LD_LIBRARY_PATH="$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    [ "$verb" = run ] || exec "$folder/lib/ferry" "$@"
    "$folder/lib/ferry" devices
    nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,power.draw --format=csv,noheader || true
    exec python3 -u "$folder/gpu.py" --ferry "$folder/lib/ferry" "$@"
    ;;
-h | --help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
