"""A worker: run_worker.py <descriptor of the control connection> <folder>...

Modules are looked for in the folders first, after the framework.

Descriptions of what the worker does are in cloudify/_worker.py.
"""
import importlib.util
import os
import sys


def main():
    framework = sys.path.pop(0)
    sys.path[0:0] = sys.argv[2:]
    _load(framework, '_offers').install()
    trouble = _load(framework, '_serving').choose()
    from cloudify import _worker
    _worker.serve(int(sys.argv[1]), trouble)


def _load(framework, name):
    """A module of the framework, before it is known which package serves."""
    spec = importlib.util.spec_from_file_location(name, os.path.join(framework, 'cloudify', name + '.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == '__main__':
    main()
