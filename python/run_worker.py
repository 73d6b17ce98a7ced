"""A worker: run_worker.py <descriptor of the control connection> <folder>...

Modules are looked for in the folders first, after the framework.

Descriptions of what the worker does are in cloudify/_worker.py.
"""
import sys


def main():
    sys.path[1:1] = sys.argv[2:]
    from cloudify import _worker
    _worker.serve(int(sys.argv[1]))


if __name__ == '__main__':
    main()
