import os

from . import importer

os.environ['ODD'] = '1'
where = importer()
