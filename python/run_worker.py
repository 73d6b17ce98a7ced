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
    spec = importlib.util.spec_from_file_location(
        '_serving', os.path.join(framework, 'cloudify', '_serving.py'))
    serving = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serving)
    trouble = serving.choose()
    from cloudify import _worker
    _worker.serve(int(sys.argv[1]), trouble)


if __name__ == '__main__':
    main()
