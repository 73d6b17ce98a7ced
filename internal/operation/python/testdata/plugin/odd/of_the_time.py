import time

from . import importer

BEGAN = time.time()
where = importer()
