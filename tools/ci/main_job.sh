#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The README's first command, then once more: the second run must find every step done.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
./demo.sh --fresh | tee build/demo.txt
./demo.sh | tee build/demo-again.txt
# What it promises to print.
for words in 'top-5' 'agree' 'on .* pictures: a demonstration, not an accuracy figure' 'Throughput' 'Latency' \
    '\.jpg\|\.png'; do
    grep -q "$words" build/demo.txt || { echo "the main job did not print: $words"; exit 1; }
done
grep -q 'already done' build/demo-again.txt || { echo "the second run did not resume"; exit 1; }
