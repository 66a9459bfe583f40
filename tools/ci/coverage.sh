#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Which lines and functions of src/ the tests reach. Generated code is not counted.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
# ccache and -O0 would both be slower than what they save here.
step "configure" configure build/coverage -DFERRY_COVERAGE=ON -DCMAKE_C_FLAGS_RELEASE="-O1 -g -Wno-maybe-uninitialized"
step "build" build build/coverage
find build/coverage -name '*.gcda' -delete
# A cluster and PyTorch show nothing of src/ that the other tests don't, and take minutes.
title="instrumented tests" run_tests build/coverage -L '^(c|python)$' -E '^python_(ray|torch)/|_sm_[0-9]+$'
# Distributions' gcovr stumbles over inline functions that a macro puts at another line in each file; PyPI's does not.
tools=build/gcovr
install_gcovr() {
    [ -x $tools/bin/gcovr ] || { python3 -m venv $tools && $tools/bin/pip install --quiet 'gcovr>=7,<9'; }
    $tools/bin/gcovr --version | head -n 1
}
report() {
    $tools/bin/gcovr --root . --filter src/ --exclude-throw-branches --merge-mode-functions separate -j "$jobs" \
        --gcov-ignore-parse-errors --json build/coverage.json build/coverage 2>build/coverage.log ||
        { tail -n 20 build/coverage.log; return 1; }
}
step "gcovr" install_gcovr
step "report" report
python3 tools/ci/coverage.py build/coverage.json --line 85 --function 95
