#!/usr/bin/env bash
# Makes dist/holdfast_VERSION_ARCH.deb of bin/holdfast, and looks at the result
# as far as that can be done without installing it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:?version} arch=${2:?architecture}
version=${version#v}
if ! [[ $version =~ ^[0-9]+\. ]]; then # a commit is below every release, and above those before it
  version=0~git$(git log -1 --format=%cd --date=format:%Y%m%d 2>/dev/null || date +%Y%m%d).$(git rev-list --count HEAD 2>/dev/null || echo 0).g${version//-/.}
fi
for tool in dpkg-deb readelf; do
  command -v $tool >/dev/null || { echo "$tool is missing; install it with: apt-get install dpkg binutils" >&2; exit 1; }
done
if readelf --program-headers bin/holdfast | grep -q INTERP; then
  echo "bin/holdfast is not static" >&2
  exit 1
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
umask 022
chmod 0755 "$root"
install -D -m 0755 bin/holdfast "$root/usr/bin/holdfast"
install -D -m 0644 packaging/relay.yaml "$root/etc/holdfast/relay.yaml"
install -D -m 0644 packaging/control.yaml "$root/etc/holdfast/control.yaml"
for unit in holdfast holdfast-control; do
  install -D -m 0644 packaging/$unit.service "$root/lib/systemd/system/$unit.service"
done
doc=$root/usr/share/doc/holdfast
install -D -m 0644 LICENSE "$doc/copyright"
# With the folders that they link to, so that the links lead somewhere.
for file in README.md README.zh-CN.md CHANGELOG.md CONTRIBUTING.md LICENSE $(find docs -name '*.md' | sort); do
  [ ! -e "$file" ] || install -D -m 0644 "$file" "$doc/$file"
done
size=$(du -sk "$root" | cut -f1)
mkdir -p "$root/DEBIAN" dist
sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$size/" packaging/deb/control >"$root/DEBIAN/control"
install -m 0644 packaging/deb/conffiles "$root/DEBIAN/conffiles"
install -m 0755 packaging/deb/{postinst,prerm,postrm} "$root/DEBIAN/"
for script in postinst prerm postrm; do sh -n "$root/DEBIAN/$script"; done

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
package=dist/holdfast_${version}_$arch.deb
dpkg-deb --root-owner-group --build -Zxz "$root" "$package" >/dev/null

if [ "$arch" = "$(dpkg --print-architecture)" ]; then
  "$root/usr/bin/holdfast" relay check "$root/etc/holdfast/relay.yaml"
  "$root/usr/bin/holdfast" control check "$root/etc/holdfast/control.yaml"
fi
if command -v systemd-analyze >/dev/null; then
  for unit in holdfast holdfast-control; do
    sed "s,/usr/bin/holdfast,$root/usr/bin/holdfast," packaging/$unit.service >"$root/$unit.service"
    systemd-analyze verify --man=no "$root/$unit.service"
  done
fi
echo "made $package ($(du -h "$package" | cut -f1))"
