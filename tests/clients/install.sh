#!/bin/sh
# Installs the clients that tests/clients runs into .clients, once for each change of their lists: those of Python into a
# virtual environment of their own, as they ask for other versions than we do; those of Node.js where npm is.
# It is no error that they cannot be installed: pytest then skips those tests (in CI they fail) and says why.
set -u

here=tests/clients
python=.clients/python
node=.clients/node

if ! cmp -s $here/python.txt $python/.made; then
    echo "installing the Python clients of $here" >&2
    rm -rf $python
    if "${1:-python3}" -m venv $python &&
        $python/bin/python -m pip install --quiet --disable-pip-version-check --requirement $here/python.txt; then
        cp $here/python.txt $python/.made
    else
        echo "the Python clients could not be installed; their tests in $here will be skipped" >&2
    fi
fi
if ! command -v npm >/dev/null; then
    echo "no npm here; the tests of Node.js clients in $here will be skipped" >&2
elif ! cmp -s $here/package.json $node/.made; then
    echo "installing the Node.js clients of $here" >&2
    rm -rf $node
    mkdir -p $node
    cp $here/package.json $node/
    if (cd $node && npm install --ignore-scripts --no-package-lock --no-audit --no-fund --silent); then
        cp $here/package.json $node/.made
    else
        echo "the Node.js clients could not be installed; their tests in $here will be skipped" >&2
    fi
fi
exit 0
