#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# CUDA's kernels for every generation of GPU, each by an NVRTC that knows it: 11.8, 12 and 13 from PyPI; then what real
# models' plans for a board leave to its CPU.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
wheels() {
    local package
    for package in nvidia-cuda-nvrtc-cu11 nvidia-cuda-nvrtc-cu12 nvidia-cuda-nvrtc; do
        [ -d "build/nvrtc/$package" ] || .venv/bin/python -m pip --disable-pip-version-check --no-input install --quiet \
            --only-binary=:all: --no-deps --target "build/nvrtc/$package" "$package"
    done
}
step "configure" configure build/test
step "build" build build/test kernels_test_cuda_compile ferry
step "NVRTC" wheels
FERRY_LIBNVRTC=$(find "$PWD/build/nvrtc" -name 'libnvrtc.so.*' -printf '%h\n' | sort -u | paste -sd:)
export FERRY_LIBNVRTC
export FERRY_TEST_TARGETS=sm_53,sm_62,sm_72,sm_75,sm_80,sm_86,sm_87,sm_89,sm_90,sm_100,sm_110,sm_120,nano,xavier,orin-agx,thor
step "compile" build/test/tests/kernels_test_cuda_compile 2>&1 | tee build/cuda.txt
# Nothing may be left out here.
! grep -q SKIPPED build/cuda.txt

plans() {
    FERRY_COMMAND=$PWD/build/test/ferry FERRY_TEST_MODELS=$PWD/out/models FERRY_TEST_DATA=$PWD/../shared/data \
        .venv/bin/python -B tools/ci/run_unittest.py tests/plan/test_cuda_models_slow.py || [ $? -eq 77 ]
}
step "plans" plans
