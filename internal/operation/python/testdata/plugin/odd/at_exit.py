import atexit

from . import importer

atexit.register(print, 'good bye')
where = importer()
