#!/usr/bin/env bash
# Says which Debian packages the tests need and this machine lacks, and
# installs them. Nothing here is needed to build or to run Holdfast.
set -euo pipefail

missing=()
need() { # PACKAGE, then a command that succeeds where it is present
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || missing+=("$package")
}
present() { PATH=$PATH:/usr/sbin:/sbin command -v "$1"; }
postgres() { present initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb'; }

need nginx present nginx
need postgresql postgres
need pgbackrest present pgbackrest
need redis-server present redis-server
need mariadb-server test -e /usr/sbin/mariadbd
need iproute2 present tc
need util-linux present nsenter
need poppler-utils present pdftotext
need logrotate test -e /usr/sbin/logrotate
need prometheus present promtool
need gcc present gcc
need libc6-dev test -e /usr/include/stdlib.h

if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
echo "missing Debian packages: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "not a Debian system: install the equivalents and run again" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}")
echo "+ ${as_root[*]} ${install[*]}"
"${as_root[@]}" "${install[@]}" >/dev/null 2>&1 || {
  # An old list of packages names versions that are gone.
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" "${install[@]}"
}
