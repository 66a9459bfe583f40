# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shell functions that test.sh and the stages of the slow tier share. Sourced from the root of the tree.

jobs=$(nproc)

say() { printf '\n== %s\n' "$*"; }

# step NAME COMMAND...: runs it under a heading and says how long it took.
step() {
    local name=$1 start=$SECONDS
    shift
    say "$name"
    "$@"
    echo "== $name: $((SECONDS - start)) s"
}

# configure DIR CMAKE-OPTION...: warnings are errors; ninja and ccache are used where they are.
configure() {
    local dir=$1 generator=(-G "Unix Makefiles") launcher=()
    mkdir -p "$(dirname "$dir")"
    shift
    command -v ninja >/dev/null && generator=(-G Ninja)
    command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache)
    # A folder configured for the other generator keeps it.
    [ ! -f "$dir/CMakeCache.txt" ] || generator=()
    local python=()
    [ ! -x .venv/bin/python ] || python=(-DFERRY_PYTHON="$PWD/.venv/bin/python")
    cmake -S . -B "$dir" "${generator[@]}" "${launcher[@]}" "${python[@]}" -DFERRY_WERROR=ON "$@" \
        >"$dir.configure.log" 2>&1 || {
        cat "$dir.configure.log"
        return 1
    }
    grep -E '^-- The C compiler' "$dir.configure.log" || true
}

# build DIR [TARGET...]: quiet when all is well.
build() {
    local dir=$1 targets=()
    shift
    [ $# -eq 0 ] || targets=(--target "$@")
    cmake --build "$dir" -j "$jobs" "${targets[@]}" >"$dir.build.log" 2>&1 || {
        grep -E 'error|warning|FAILED|undefined' -A 5 "$dir.build.log" | head -n 100
        echo "build failed: the whole log is $dir.build.log"
        return 1
    }
    echo "built in $dir"
}

# run_tests DIR CTEST-OPTION...: runs them and ends with the summary, whose exit status it returns.
run_tests() {
    local dir=$1 start=$SECONDS
    shift
    say "tests in $dir"
    rm -f "$dir/Testing/Temporary/LastTest.log"
    # The summary judges: it also knows what was skipped, and a run without tests is a failure.
    (cd "$dir" && ctest -j "$jobs" --output-on-failure "$@" 2>&1 | tee ctest.txt) || true
    echo "== tests in $dir: $((SECONDS - start)) s"
    python3 tools/ci/summary.py "$dir" --title "${title:-tests}"
}
