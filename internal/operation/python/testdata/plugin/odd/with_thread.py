import threading

from . import importer

threading.Thread(target=threading.Event().wait, daemon=True).start()
where = importer()
