#!/usr/bin/env bash
# Puts the Chinese font of printed cards where the program embeds it. The font
# comes from Debian (fonts-droid-fallback, Apache-2.0) and is held to one sum, so
# that the same source gives the same program. Where it can't be had, the
# program is built without it, and says so when asked for Chinese in a PDF;
# with --must that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

must=${1-}
sum=acb6440a713d880a13a21b468ba7cd43f5a2b2934972e51be791c880730777b8
into=internal/plan/cards/font/chinese.ttf.gz
from=/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf
package=fonts-droid-fallback

fits() { [ -e "$1" ] && echo "$sum  $1" | sha256sum --check --status 2>/dev/null; }

if [ -e "$into" ] && [ "$(gzip -dc "$into" | sha256sum | cut -d' ' -f1)" = "$sum" ]; then
  exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if ! fits "$from" && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
  # Only its file is wanted, so the package is not installed.
  fetch() { (cd "$scratch" && apt-get download "$package") >/dev/null 2>&1; }
  if ! fetch && [ "$(id -u)" -eq 0 ]; then # a machine without lists of packages
    apt-get update -q >/dev/null 2>&1 && fetch || true
  fi
  for deb in "$scratch"/*.deb; do
    [ -e "$deb" ] && dpkg-deb -x "$deb" "$scratch" && from=$scratch$from
  done
fi
if ! fits "$from"; then
  echo "no Chinese font ($package): PDFs of cards will refuse Chinese" >&2
  [ "$must" != --must ]
  exit
fi
gzip -9nc "$from" >"$scratch/packed"
mv "$scratch/packed" "$into"
