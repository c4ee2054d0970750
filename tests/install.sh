#!/bin/sh
# Installs, from Debian's packages, the programs that some tests run: Chromium for tests/browser, Redis for tests of
# several boards, nginx and Caddy for those of deploy/. Only where that may be: as root, by apt-get, what is not there yet.
# It is no error that it may not, or does not work: pytest then skips those tests and says why.
set -u

missing=""
need() { # need PACKAGES PROGRAM VARIABLE: wanted unless the variable names one, or the program is there
    eval "named=\${$3:-}"
    if [ -z "$named" ] && ! command -v "$2" >/dev/null; then
        missing="$missing $1"
    fi
}
need "chromium fonts-liberation" chromium TOKENBOARD_TEST_CHROMIUM
need redis-server redis-server TOKENBOARD_TEST_REDIS
need nginx-light nginx TOKENBOARD_TEST_NGINX
need caddy caddy TOKENBOARD_TEST_CADDY

if [ -z "$missing" ]; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "no right to install$missing here; the tests that need them will be skipped" >&2
    exit 0
fi
echo "installing$missing for the tests" >&2
export DEBIAN_FRONTEND=noninteractive
# No service of theirs is started: a test starts what it needs, on a port of its own.
export RUNLEVEL=1
# shellcheck disable=SC2086
if ! { apt-get -qq update && apt-get -qq install --yes --no-install-recommends $missing; } >/dev/null 2>&1; then
    echo "they could not be installed; the tests that need them will be skipped" >&2
fi
exit 0
