"""A worker: run_worker.py <descriptor of the control connection>.

Descriptions of what the worker does are in cloudify/_worker.py.
"""
import sys


def main():
    from cloudify import _worker
    _worker.serve(int(sys.argv[1]))


if __name__ == '__main__':
    main()
