#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Accuracy on all pictures of the real data, where a developer has it; skipped, by name, where not.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
step "configure" configure build/test
step "build" build build/test
title="accuracy" run_tests build/test -L '^slow$' -R accuracy
