from . import importer

print('imported')
where = importer()
