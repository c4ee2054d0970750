#!/bin/sh
# Runs the tests of the hot modules on their compiled form. They are compiled in a copy of the sources, build/compiled,
# and what has not changed since is not compiled anew. Where there is no C compiler it says so, and that is no error.
# Usage: tests/compiled.sh PYTHON [pytest's arguments]
set -eu

python=$PWD/$1
shift
compiler=$("$python" -c 'import sysconfig; print((sysconfig.get_config_var("CC") or "cc").split()[0])')
header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
if ! command -v "$compiler" >/dev/null || [ ! -e "$header" ]; then
    echo "the compiled form was not tested: that takes $compiler and $header" >&2
    exit 0
fi

copy=build/compiled
mkdir -p "$copy/src"
same=yes
for file in setup.py pyproject.toml README.md LICENSE; do
    cmp -s "$file" "$copy/$file" || same=no
    cp "$file" "$copy/$file"
done
find "$copy/src" -type f ! -name '*.so' ! -name compiled.json -delete
tar -c --exclude='*.so' --exclude=compiled.json --exclude=__pycache__ src | tar -x -C "$copy"

export PYTHONPATH="$PWD/$copy/src"
is_compiled() { "$python" -c 'import sys, tokenboard; sys.exit(not tokenboard.BUILD_FORM.compiled)'; }
if [ $same = no ] || ! is_compiled; then
    find "$copy/src" -name '*.so' -delete
    # The compiler's level changes no meaning, and the first one builds in half the time.
    (cd "$copy" && TOKENBOARD_COMPILE=1 TOKENBOARD_OPT=1 "$python" setup.py --quiet build_ext --inplace)
    is_compiled
fi
# Of the journal's tests those that put something else in a constant's or a function's place are left out: compiled code
# has both built in.
exec "$python" -m pytest "$@" tests/attribution tests/gateway tests/http_fields \
    tests/journal/test_journal_crash.py tests/journal/test_journal_damage.py tests/journal/test_journal_read.py \
    tests/server tests/usage tests/test_inline_task.py tests/packaging/test_hot_modules.py
