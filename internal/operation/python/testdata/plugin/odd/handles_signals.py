import signal

from . import importer

signal.signal(signal.SIGUSR1, lambda *_: None)
where = importer()
