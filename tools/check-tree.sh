#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Looks at the tracked files: licence lines, formatting, sizes, left-overs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
failures=0
complain() {
    [ -n "$2" ] || return 0
    printf 'check-tree: %s:\n%s\n' "$1" "$2" >&2
    failures=$((failures + 1))
}
# A source tree unpacked from an archive has no .git; then everything outside build folders is looked at.
files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -co --exclude-standard -- "$@" | while read -r f; do [ -f "$f" ] && printf '%s\n' "$f"; done
    else
        for pattern in "$@"; do
            find . \( -path './build*' -o -path './.venv*' -o -path './out' \) -prune -o -type f -name "$pattern" -print
        done
    fi
}

mapfile -t c_files < <(files '*.c' '*.h' '*.inc')
mapfile -t scripts < <(files '*.sh' '*.py' '*.proto' | grep -v '__init__')

complain "no SPDX-License-Identifier in the first lines of" "$(awk '
    FNR == 1 { if (file != "" && !seen) print file; file = FILENAME; seen = 0 }
    FNR <= 3 && /SPDX-License-Identifier: Apache-2.0/ { seen = 1 }
    END { if (!seen) print file }' "${c_files[@]}" "${scripts[@]}")"

# Text only: an absolute path or a ticket number means nothing to a reader of the project.
# (The words are spelled in pieces so that this file passes its own check.)
complain "a path of one machine, or a ticket, is named" "$(files '*' |
    xargs -d '\n' grep -nIE "/wor[k]/|/hom[e]/[a-z]|[.]librar[y]|\bissu[e] #?[0-9]+" -- 2>/dev/null)"
complain "files over 1 MiB" "$(files '*' | xargs -d '\n' du -k -- 2>/dev/null | awk '$1 > 1024')"
complain "trailing blanks" "$(files '*.c' '*.h' '*.inc' '*.sh' '*.py' '*.cmake' '*.md' |
    xargs -d '\n' grep -nHE '[[:blank:]]+$' | head -n 20)"
complain "no newline at the end" "$(files '*.c' '*.h' '*.inc' '*.sh' '*.py' '*.cmake' '*.md' |
    xargs -d '\n' perl -ne 'print "$ARGV\n" if eof && !/\n\z/')"

# Tables of macro rows (.inc) keep the columns that a person gave them.
# Only the version that the tree is kept with can judge: newer ones lay a few things out differently.
clang_format=
for candidate in clang-format-14 clang-format; do
    if command -v $candidate >/dev/null && $candidate --version | grep -q 'version 14\.'; then
        clang_format=$candidate
        break
    fi
done
if [ -n "$clang_format" ]; then
    complain "not formatted (clang-format -i)" "$(printf '%s\n' "${c_files[@]}" | grep -v '\.inc$' |
        xargs -d '\n' "$clang_format" --dry-run -Werror 2>&1 | grep -E 'error:' | cut -d: -f1 | sort -u)"
else
    echo "check-tree: no clang-format 14 here: formatting not looked at"
fi

[ $failures -eq 0 ] || exit 1
echo "check-tree: ${#c_files[@]} C files, ${#scripts[@]} scripts: nothing to complain about"
