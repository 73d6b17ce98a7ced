#!/bin/bash
# Makes wagons of real plugins, with all they need, below DIR/wagons.
#
#   build.sh DIR [utilities|fabric|terraform|ansible]...
#
# The plugins' sources come from GitHub, or from the git repositories in the folder
# REAL_PLUGINS_SOURCES, which are named as there (cloudify-utilities-plugin, ...).
# What they need comes from the index that pip is configured for. What is there
# already is not made again.
set -euo pipefail

dir=$1
shift
python=${PYTHON:-python3}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir"/{sources,wheels,wagons}
dir=$(cd "$dir" && pwd)

declare -A owner=(
    [cloudify-utilities-plugin]=cloudify-incubator [cloudify-fabric-plugin]=cloudify-cosmo
    [cloudify-terraform-plugin]=cloudify-cosmo [cloudify-ansible-plugin]=cloudify-cosmo [cloudify-manager]=cloudify-cosmo
    [ansible-cloudify-ctx]=cloudify-cosmo
)
# Versions 2.0.7, 2.0.27, 0.20.11 and 3.2.8. (0.20.12 of the third can't be imported.)
declare -A commit=(
    [cloudify-utilities-plugin]=d4945c5 [cloudify-fabric-plugin]=9617d6e
    [cloudify-terraform-plugin]=f23d2bc [cloudify-ansible-plugin]=4ada5e9 [cloudify-manager]=master
    [ansible-cloudify-ctx]=master
)

# unpack REPOSITORY [PATH] puts the files of the chosen commit into sources.
unpack() {
    local repository=$1 path=${2:-.} from target=$dir/sources/$1
    [ -d "$target" ] && return
    from=https://github.com/${owner[$repository]}/$repository
    if [ -n "${REAL_PLUGINS_SOURCES:-}" ]; then
        from=$REAL_PLUGINS_SOURCES/$repository
    else
        rm -rf "$dir/sources/.$repository"
        git clone --quiet --filter=blob:none --no-checkout "$from" "$dir/sources/.$repository"
        from=$dir/sources/.$repository
    fi
    rm -rf "$target.new"
    mkdir "$target.new"
    git -C "$from" archive "$(git -C "$from" rev-parse -q --verify "${commit[$repository]}" || echo HEAD)" "$path" |
        tar -x -C "$target.new"
    mv "$target.new" "$target"
}

if [ ! -d "$dir/venv" ]; then
    "$python" -m venv "$dir/venv"
    "$dir/venv/bin/pip" install --quiet --disable-pip-version-check setuptools wheel
fi
pip=("$dir/venv/bin/pip" --quiet --disable-pip-version-check)

# The plugins name two packages that only the original's manager has: one that
# stands for cloudify-common, and one with the types of its service composition.
if ! ls "$dir"/wheels/fusion_mgmtworker-* >/dev/null 2>&1; then
    unpack cloudify-manager mgmtworker/cloudify_types
    common=$dir/sources/fusion-common mgmtworker=$dir/sources/fusion-mgmtworker
    rm -rf "$common" "$mgmtworker"
    mkdir -p "$common" "$mgmtworker"
    cp -r "$dir/sources/cloudify-manager/mgmtworker/cloudify_types" "$mgmtworker/"
    cat >"$common/setup.py" <<'PY'
from setuptools import setup
setup(name='fusion-common', version='0.0.1', packages=[], install_requires=['cloudify-common==7.0.5'])
PY
    cat >"$mgmtworker/setup.py" <<'PY'
from setuptools import setup, find_packages
setup(name='fusion-mgmtworker', version='0.0.1', packages=find_packages(),
      install_requires=['retrying', 'packaging', 'python-dateutil', 'pytz'])
PY
    "${pip[@]}" wheel --no-deps --no-build-isolation -w "$dir/wheels" "$common" "$mgmtworker"
fi

for name in "$@"; do
    plugin=cloudify-$name-plugin
    ls "$dir"/wagons/"$plugin"-*.wgn >/dev/null 2>&1 && continue
    unpack "$plugin"
    if [ "$name" = ansible ]; then # a module for playbooks has a repository of its own
        unpack ansible-cloudify-ctx
        cp -r "$dir/sources/ansible-cloudify-ctx/." "$dir/sources/$plugin/cloudify_ansible/ansible-cloudify-ctx/"
    fi
    rm -rf "$dir/$name.wheels"
    "${pip[@]}" wheel --no-build-isolation --find-links "$dir/wheels" -w "$dir/$name.wheels" "$dir/sources/$plugin"
    "$python" "$here/wagon.py" "$plugin" "$dir/$name.wheels" "$dir/wagons"
done
