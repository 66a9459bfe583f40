#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tests, C and Python, under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
step "configure" configure build/sanitize -DFERRY_SANITIZE=address,undefined \
    -DCMAKE_C_FLAGS_RELEASE="-O1 -g1 -Wno-maybe-uninitialized"
step "build" build build/sanitize
# NVIDIA's compiler takes a minute more there, and shows nothing; nor do further chips on the emulated GPU.
title="sanitized tests" run_tests build/sanitize -L '^(c|python)$' -E '^kernels/test_cuda_compile$|_sm_[0-9]+$'
