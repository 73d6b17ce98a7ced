import socket

from . import importer


class _Socket(socket.socket):
    pass


socket.socket = _Socket
where = importer()
