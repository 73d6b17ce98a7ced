#!/usr/bin/env python3
"""Packs the wheels of a plugin as a wagon: wagon.py PLUGIN WHEELS TARGET."""
import io
import json
import os
import platform
import sys
import tarfile


def main(plugin, wheels, target):
    names = sorted(os.listdir(wheels))
    own = next(n for n in names if n.startswith(plugin.replace('-', '_') + '-'))
    version = own.split('-')[1]
    tag = 'py{0}{1}'.format(*sys.version_info[:2])
    archive = '{0}-{1}-{2}-none-linux_{3}.wgn'.format(plugin, version, tag, platform.machine())
    described = {
        'package_name': plugin, 'package_version': version, 'package_source': plugin, 'archive_name': archive,
        'supported_platform': 'linux_' + platform.machine(), 'supported_python_versions': [tag], 'wheels': names,
        'build_server_os_properties': {'distribution': None, 'distribution_release': None, 'distribution_version': None},
        'created_by_wagon_version': '1.0.1',
    }
    with tarfile.open(os.path.join(target, '.new'), 'w:gz', compresslevel=1) as tar:
        data = json.dumps(described, indent=1).encode()
        info = tarfile.TarInfo(plugin + '/package.json')
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
        tar.add(wheels, plugin + '/wheels')
    os.rename(os.path.join(target, '.new'), os.path.join(target, archive))


if __name__ == '__main__':
    main(*sys.argv[1:])
