#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 64-bit ARM, cross-compiled and emulated: every C test on the plainest processor, the kernels on newer ones too, so that
# each instruction set's code runs and none leaks into the code for an older one; and the Python package, its wheel included.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/ci/lib.sh
full=cortex-a57
others="cortex-a76 neoverse-n1 max"
root=$PWD/build/arm64-root

# The target's packages are unpacked into folders of their own: nothing of the machine is changed, and packages that
# cannot be installed for two architectures at once do no harm.
# unpack FOLDER NEED...: "a|b" is met by the first that the distribution has.
unpack() {
    local into=$1 names=() need name
    shift
    if [ -f "$into/complete" ] && [ "$(cat "$into/complete")" = "$*" ]; then
        echo "the target's packages are there"
        return
    fi
    rm -rf "$into"
    mkdir -p "$into"/apt/{lists/partial,cache/archives/partial} "$into/debs"
    : >"$into/apt/status"
    local apt=(-q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State="$into/apt"
        -o Dir::State::Lists="$into/apt/lists" -o Dir::State::status="$into/apt/status" -o Dir::Cache="$into/apt/cache"
        -o APT::Sandbox::User=root -o Acquire::Retries=3)
    if grep -qi '^ID=ubuntu' /etc/os-release; then
        # Ubuntu keeps its ports on another host than the main archive.
        local code
        code=$(. /etc/os-release && echo "$VERSION_CODENAME")
        printf 'deb http://ports.ubuntu.com/ubuntu-ports %s main universe\n' "$code" "$code-updates" "$code-security" \
            >"$into/apt/sources.list"
        apt+=(-o Dir::Etc::sourcelist="$into/apt/sources.list" -o Dir::Etc::sourceparts=-)
    fi
    apt-get "${apt[@]}" update
    for need in "$@"; do
        for name in ${need//|/ }; do
            if [[ $(apt-cache "${apt[@]}" policy "$name" 2>/dev/null) =~ Candidate:\ [^\(] ]]; then
                names+=("$name")
                continue 2
            fi
        done
        echo "no package ${need//|/ or } for arm64"
        return 1
    done
    (cd "$into/debs" && apt-get "${apt[@]}" download "${names[@]}")
    for deb in "$into"/debs/*.deb; do
        dpkg-deb -x "$deb" "$into"
    done
    # Links to absolute places would leave the folder.
    find "$into/usr/lib" -type l -lname '/*' | while read -r link; do
        ln -sf "$into$(readlink "$link")" "$link"
    done
    rm -rf "$into/debs" "$into/apt"
    echo "$*" >"$into/complete"
}

sysroot() {
    unpack "$root" libprotobuf-c-dev libprotobuf-c1 "libjpeg62-turbo-dev|libjpeg-turbo8-dev" \
        "libjpeg62-turbo|libjpeg-turbo8" libspng-dev "libspng0|libspng0t64" zlib1g-dev zlib1g libxxhash-dev \
        libxxhash0 libjansson-dev libjansson4 libcmocka-dev libcmocka0
}

# The Python package over the library made here, in the distribution's Python with NumPy from PyPI.
python_tests() {
    local folder=$PWD/build/arm64-python version name status=0
    version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') || return 1
    unpack "$folder" "python$version-minimal" "libpython$version-minimal" "libpython$version-stdlib" libc6 libgcc-s1 \
        libstdc++6 libcrypt1 libffi8 libexpat1 zlib1g "libssl3|libssl3t64" libuuid1 libbz2-1.0 liblzma5 || return 1
    [ -d "$folder/site/numpy" ] || .venv/bin/python -m pip --disable-pip-version-check --no-input install --quiet \
        --no-deps --only-binary=:all: --python-version "$version" --implementation cp \
        --platform manylinux2014_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 \
        --target "$folder/site" 'numpy<2.3' || return 1
    local run=("$(command -v qemu-aarch64 || command -v qemu-aarch64-static)" -L "$folder"
        "$folder/usr/bin/python$version" -B tools/ci/run_unittest.py)
    for name in running exchange network; do
        FERRY_SOURCE_DIR=$PWD FERRY_BUILD_DIR=$PWD/build/arm64 PYTHONPATH=$folder/site \
            "${run[@]}" "tests/python/test_$name.py" || status=1
    done
    return $status
}

# The wheel for this machine, as users get it: built with the cross compiler, installed by the target's own pip into a
# virtual environment, and used. Runs after python_tests, whose Python it takes.
wheel() {
    local folder=$PWD/build/arm64-python work=$PWD/build/arm64-wheel python got
    local emulate=("$(command -v qemu-aarch64 || command -v qemu-aarch64-static)" -L "$folder")
    local pip=(-m pip --disable-pip-version-check --no-input --quiet)
    python=$(echo "$folder"/usr/bin/python3.*)
    [ -x "$work/tools/bin/python" ] || python3 -m venv "$work/tools" || return 1
    "$work/tools/bin/python" "${pip[@]}" install setuptools wheel || return 1
    rm -f "$work"/pip-*.whl
    "$work/tools/bin/python" "${pip[@]}" download --no-deps -d "$work" pip || return 1
    rm -rf "$work"/ferry-*.whl "$folder/venv"
    CMAKE_ARGS="-DCMAKE_TOOLCHAIN_FILE=$PWD/cmake/toolchains/aarch64-linux-gnu.cmake -DFERRY_SYSROOT=$root
        $(command -v ccache >/dev/null && echo -DCMAKE_C_COMPILER_LAUNCHER=ccache)" \
        "$work/tools/bin/python" setup.py -q build -b "$work/build" bdist_wheel --plat-name linux_aarch64 -d "$work" \
        >"$work/wheel.log" 2>&1 || { tail -n 50 "$work/wheel.log"; return 1; }
    "${emulate[@]}" "$python" -m venv --without-pip "$folder/venv" || return 1
    "${emulate[@]}" "$folder/venv/bin/python" "$(echo "$work"/pip-*.whl)/pip" --disable-pip-version-check --no-input \
        install --quiet --no-compile "$work"/ferry-*.whl 'numpy<2.3' || return 1
    got=$(cd "$work" && env -u PYTHONPATH -u FERRY_LIBRARY "${emulate[@]}" "$folder/venv/bin/python" -c '
import ferry, numpy, platform
net = ferry.Network()
net.mark_output(net.add("Relu", net.add_input("x", numpy.float32, [1, 3]), outputs=["y"]))
y = ferry.Builder().build(net, progress=False).create_context().run(numpy.array([[1, -2, 3]], numpy.float32))["y"]
print(platform.machine(), "site-packages" in ferry._lib.path, y.tolist())') || return 1
    echo "$got"
    [ "$got" = "aarch64 True [[1.0, 0.0, 3.0]]" ]
}

command -v aarch64-linux-gnu-gcc >/dev/null || { echo "no arm64 cross compiler (tools/setup.sh --slow)"; exit 1; }
command -v qemu-aarch64 >/dev/null || command -v qemu-aarch64-static >/dev/null ||
    { echo "no qemu-aarch64 (tools/setup.sh --slow)"; exit 1; }
step "libraries" sysroot
step "configure" configure build/arm64 -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/toolchains/aarch64-linux-gnu.cmake" \
    -DFERRY_SYSROOT="$root"
step "build" build build/arm64
file -b build/arm64/libferry.so.*.*.* 2>/dev/null || true
status=0
export QEMU_CPU=$full
title="$QEMU_CPU tests" run_tests build/arm64 -L '^c$' || status=1
for QEMU_CPU in $others; do
    title="$QEMU_CPU tests" run_tests build/arm64 -L '^c$' -R '^(kernels|backend)/' || status=1
done
export QEMU_CPU=cortex-a76
step "python" python_tests || status=1
step "wheel" wheel || status=1
exit $status
