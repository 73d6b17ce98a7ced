"""Runs one Python script of the script plugin: run_script.py <script>.

The operation's context is at CTX_SOCKET_URL. How the script ended is told
there, too; the exit code only says whether it could be told.
"""
import sys


def main():
    from cloudify import _script
    sys.exit(_script.run(sys.argv[1]))


if __name__ == '__main__':
    main()
