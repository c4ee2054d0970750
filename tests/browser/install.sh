#!/bin/sh
# Installs Debian's Chromium for the browser tests where that may be: as root, by apt-get, when there is none yet.
# It is no error that it may not, or does not work: pytest then skips those tests and says why.
set -u

if [ -n "${TOKENBOARD_TEST_CHROMIUM:-}" ] || command -v chromium >/dev/null; then
    exit 0
fi
skipped="the tests in tests/browser will be skipped: install chromium, or name one by TOKENBOARD_TEST_CHROMIUM"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "no Chromium here, and no right to install it; $skipped" >&2
    exit 0
fi
echo "installing chromium for tests/browser" >&2
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get -qq update && apt-get -qq install --yes --no-install-recommends chromium fonts-liberation; } >/dev/null 2>&1; then
    echo "chromium could not be installed; $skipped" >&2
fi
exit 0
