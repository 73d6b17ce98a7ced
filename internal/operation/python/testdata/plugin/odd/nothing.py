"""Nothing odd."""
from . import importer

where = importer()
