#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A library's symbols share one name space with the whole program, so every one that leaves a file begins with ferry_.
set -uo pipefail
status=0
verdict() { # NAME FOREIGN-SYMBOLS
    if [ -z "$2" ]; then
        echo "[       OK ] $1"
    else
        printf '%s\n' "$2"
        echo "[  FAILED  ] $1"
        status=1
    fi
}
symbols() { "${FERRY_NM:-nm}" "$@" --defined-only 2>/dev/null | awk 'NF >= 3 && $2 ~ /[A-Z]/ { print $3 }' | sort -u; }

# What compilers put there themselves, for sanitizers and coverage too, is not ours to name.
ours() { grep -vE '^(_init|_fini|_edata|_end|__bss_start|__(asan|ubsan|tsan|sancov|sanitizer|gcov|llvm|odr)_?.*)$'; }

shared=$(symbols -D "$FERRY_BUILD_DIR"/libferry.so | ours)
archive=$(symbols "$FERRY_BUILD_DIR"/libferry.a | ours)
verdict shared_library__exports_only_ferry_names "$(grep -v '^ferry_' <<<"$shared")"
verdict archive__defines_only_ferry_names "$(grep -v '^ferry_' <<<"$archive")"
verdict shared_library__exports_something "$([ "$(wc -l <<<"$shared")" -gt 3 ] || echo "only: $shared")"

# Each function that a public header declares is there for the program that links the shared library.
declared=$(cat "$FERRY_SOURCE_DIR"/include/ferry/*.h | grep -v '^ *//' | tr '\n' ' ' |
    grep -oE 'FERRY_API [^;{]*' | grep -oE '\bferry_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u)
verdict shared_library__has_every_declared_function "$(comm -23 <(echo "$declared") <(echo "$shared"))"
exit $status
