#!/usr/bin/env bash
# Runs every linter, even after one has found something, and fails at the end
# if any did.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
check() { # NAME, then the command
  local name=$1
  shift
  "$@" || failed+=("$name")
}
formatted() {
  local files
  files=$(git ls-files -z --cached --others --exclude-standard -- '*.go' | xargs -0 -r ls -d 2>/dev/null | xargs -r gofmt -l)
  [ -z "$files" ] || { echo "not formatted, run gofmt -w on:"; echo "$files"; return 1; }
}

check gofmt formatted
check vet go vet ./...
check vet-tools go -C tools vet ./...
check depguard bin/tools/depguard ./...
check staticcheck bin/tools/staticcheck ./...
check gosec bin/tools/gosec
check house bin/tools/house
check govulncheck tools/vulncheck.sh
if [ ${#failed[@]} -gt 0 ]; then
  echo "lint: found something: ${failed[*]}"
  exit 1
fi
echo "lint: nothing found"
