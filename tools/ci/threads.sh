#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The parts that use several threads under ThreadSanitizer.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
step "configure" configure build/threads -DFERRY_SANITIZE=thread \
    -DCMAKE_C_FLAGS_RELEASE="-O1 -g1 -Wno-maybe-uninitialized"
step "build" build build/threads
title="threaded tests" run_tests build/threads -L '^c$' -R '^(base|runtime|backend|conformance)/' \
    -E '_sm_[0-9]+$'
