#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Which lines and functions of src/ the tests reach. Generated code is not counted.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
command -v gcovr >/dev/null || { echo "gcovr is not installed (tools/setup.sh --slow)"; exit 1; }
# ccache and -O0 would both be slower than what they save here.
step "configure" configure build/coverage -DFERRY_COVERAGE=ON -DCMAKE_C_FLAGS_RELEASE="-O1 -g -Wno-maybe-uninitialized"
step "build" build build/coverage
find build/coverage -name '*.gcda' -delete
title="instrumented tests" run_tests build/coverage -L '^(c|python)$'
step "report" gcovr --root . --filter src/ --exclude-throw-branches -j "$jobs" --gcov-ignore-parse-errors \
    --json build/coverage.json build/coverage
python3 tools/ci/coverage.py build/coverage.json --line 85 --function 95
