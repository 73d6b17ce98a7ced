import subprocess

from . import importer

_child = subprocess.Popen(['cat'], stdin=subprocess.PIPE)  # ends with this process
where = importer()
