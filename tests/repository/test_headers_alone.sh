#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each public header compiles alone, without warnings, as C11 and as C++17.
set -uo pipefail
status=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
compiles() { # LANGUAGE STANDARD HEADER
    printf '#include <ferry/%s>\n#include <ferry/%s>\n' "$3" "$3" >"$scratch/alone"
    "${FERRY_CC:-cc}" -x "$1" -std="$2" -Wall -Wextra -Wpedantic -Wshadow -Werror -fsyntax-only \
        -I"$FERRY_SOURCE_DIR/include" "$scratch/alone"
}
: >"$scratch/empty"
languages="c:c11"
if "${FERRY_CC:-cc}" -x c++ -std=c++17 -fsyntax-only "$scratch/empty" 2>/dev/null; then
    languages+=" c++:c++17"
else
    echo "[  SKIPPED ] headers__compile_as_cxx17: the compiler has no C++ beside it"
fi
for header in "$FERRY_SOURCE_DIR"/include/ferry/*.h; do
    header=${header##*/}
    for language in $languages; do
        name=${header%.h}_header__compiles_as_${language#*:}
        if compiles "${language%:*}" "${language#*:}" "$header"; then
            echo "[       OK ] $name"
        else
            echo "[  FAILED  ] $name"
            status=1
        fi
    done
    if [ "$header" != ferry.h ] && ! grep -q "^#include \"ferry/$header\"" "$FERRY_SOURCE_DIR/include/ferry/ferry.h"; then
        echo "[  FAILED  ] ferry_header__includes_$header"
        status=1
    fi
done
exit $status
