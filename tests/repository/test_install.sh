#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts down is enough for others: found by pkg-config and by CMake, shared and static.
set -uo pipefail
status=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix
cc=${FERRY_CC:-cc}
cmake=${FERRY_CMAKE:-cmake}

# check NAME COMMAND...: one case; what the command says is shown only if it fails.
check() {
    local name=$1
    shift
    if "$@" >"$scratch/said" 2>&1; then
        echo "[       OK ] $name"
    else
        cat "$scratch/said"
        echo "[  FAILED  ] $name"
        status=1
    fi
}

install_tree() { "$cmake" --install "$FERRY_BUILD_DIR" --prefix "$prefix"; }
check install__puts_the_tree_below_the_prefix install_tree
library_dir=$(dirname "$(find "$prefix" -name libferry.so | head -n 1)")
export PKG_CONFIG_PATH=$library_dir/pkgconfig

cat >"$scratch/user.c" <<'C'
#include <ferry/ferry.h>
#include <stdio.h>
int main(void)
{
    puts(ferry_version());
    return 0;
}
C
version=$(sed -nE 's/^project\(ferry VERSION ([0-9.]+).*/\1/p' "$FERRY_SOURCE_DIR/CMakeLists.txt")

# Word lists of flags are split on purpose below.
run_shared() {
    "$cc" -std=c11 -Wall -Werror "$scratch/user.c" -o "$scratch/shared" $(pkg-config --cflags --libs ferry) &&
        [ "$(LD_LIBRARY_PATH=$library_dir "$scratch/shared")" = "$version" ]
}
run_static() {
    local flags
    flags=$(pkg-config --static --libs ferry) &&
        "$cc" -std=c11 -Wall -Werror -DFERRY_STATIC "$scratch/user.c" -o "$scratch/static" $(pkg-config --cflags ferry) \
            ${flags/-lferry/-l:libferry.a} && [ "$("$scratch/static")" = "$version" ] &&
        ! ldd "$scratch/static" | grep -q libferry
}
same_version() { [ "$(pkg-config --modversion ferry)" = "$version" ]; }
header_version() {
    printf '#include <ferry/base.h>\nFERRY_VERSION_MAJOR.FERRY_VERSION_MINOR.FERRY_VERSION_PATCH\n' |
        "$cc" -E -P -I"$FERRY_SOURCE_DIR/include" - | tr -d ' ' | grep -qx "$version"
}
no_build_path() { ! grep -rIl -e "$FERRY_BUILD_DIR" -e "$FERRY_SOURCE_DIR" "$prefix"; }
check pkg_config__knows_the_version same_version
check headers__have_the_same_version header_version
check pkg_config__builds_with_the_shared_library run_shared
check pkg_config__builds_with_the_static_library run_static
check installed_text_files__name_no_build_folder no_build_path

mkdir "$scratch/project"
cat >"$scratch/project/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(user C)
find_package(ferry 0.1 REQUIRED COMPONENTS static)
foreach(library ferry ferry_static)
  add_executable(with_${library} ../user.c)
  target_link_libraries(with_${library} PRIVATE ferry::${library})
endforeach()
CMAKE
cmake_user() {
    "$cmake" -S "$scratch/project" -B "$scratch/project/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$cc" &&
        "$cmake" --build "$scratch/project/build" &&
        [ "$("$scratch/project/build/with_ferry")" = "$version" ] &&
        [ "$("$scratch/project/build/with_ferry_static")" = "$version" ]
}
check cmake_package__gives_both_libraries cmake_user

if [ -x "$FERRY_BUILD_DIR/ferry" ]; then
    installed_command() { env -u LD_LIBRARY_PATH "$prefix/bin/ferry" --version | grep -q "$version"; }
    check installed_command__finds_its_library installed_command
fi

build_example() {
    "$cc" -std=c11 -Wall -Wextra -Werror "$FERRY_SOURCE_DIR/examples/classify_async.c" -o "$scratch/classify_async" \
        $(pkg-config --cflags --libs ferry)
}
check example__builds_with_pkg_config build_example

# On a real network and a photograph: the same best class as the command says.
model=$FERRY_TEST_MODELS/efficientnet_lite0.onnx
photograph=$(find "$FERRY_SOURCE_DIR/examples/pictures/run" -name '*.jpg' | sort | head -n 1)
run_example() {
    local options=(--size 224x224 --resize crop --resize-shorter 256 --filter bicubic --mean 127 --std 128 --task classify
        --labels "$FERRY_SOURCE_DIR/examples/labels/imagenet.txt")
    $FERRY_COMMAND build "$model" -q -o "$scratch/model.engine" "${options[@]}" || return 1
    LD_LIBRARY_PATH=$library_dir "$scratch/classify_async" "$scratch/model.engine" "$photograph" | tee "$scratch/classes" || return 1
    $FERRY_COMMAND run -q "$scratch/model.engine" "$photograph" | tee "$scratch/expected" || return 1
    [ "$(sed -nE '2s/^[0-9.]+ //p' "$scratch/classes")" = "$(sed -nE '2s/^ *[0-9.]+ +[0-9]+ +//p' "$scratch/expected")" ]
}
if [ -f "$model" ] && [ -x "$FERRY_BUILD_DIR/ferry" ]; then
    check example__classifies_a_photograph run_example
else
    echo "[  SKIPPED ] example__classifies_a_photograph: no $model"
fi
exit $status
