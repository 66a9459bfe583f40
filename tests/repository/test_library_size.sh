#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The shared library stays small enough for a device's image: 3 MiB without symbols, its dependencies not counted.
set -uo pipefail
name=shared_library__takes_at_most_3_MiB
cache=$FERRY_BUILD_DIR/CMakeCache.txt
if ! grep -q '^CMAKE_BUILD_TYPE:STRING=Release$' "$cache" || ! grep -q '^FERRY_SANITIZE:STRING=$' "$cache" ||
    ! grep -q '^FERRY_COVERAGE:BOOL=OFF$' "$cache" || ! grep -q '^FERRY_BUNDLE:BOOL=OFF$' "$cache"; then
    echo "[  SKIPPED ] $name: only a release build has the size that users get"
    exit 77
fi
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
"${FERRY_NM%nm}strip" -o "$stripped" "$FERRY_BUILD_DIR/libferry.so" || exit 1
bytes=$(stat -c %s "$stripped")
if [ "$bytes" -le $((3 << 20)) ]; then
    echo "[       OK ] $name ($bytes bytes)"
else
    echo "libferry.so has $bytes bytes without symbols"
    echo "[  FAILED  ] $name"
    exit 1
fi
