import os

from . import importer

_where = os.environ.get('WINDLASS_RUN_DIR')
where = importer()
