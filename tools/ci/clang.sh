#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Another compiler, its warnings errors too: what only gcc accepts, or only one of them computes, shows here.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
command -v clang >/dev/null || { echo "clang is not installed (tools/setup.sh --slow)"; exit 1; }
clang --version | head -n 1
step "configure" configure build/clang -DCMAKE_C_COMPILER=clang
step "build" build build/clang
# The emulated GPU compiles its kernels by itself, whatever compiled the rest: once is enough.
title=clang run_tests build/clang -L '^(c|shell)$' -LE '^cuda_emulated$'
