from . import importer

_file = open(__file__)
where = importer()
