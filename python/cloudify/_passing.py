"""Data and descriptors over a connection between processes."""
import array
import os
import socket


def send(connection, data, descriptors):
    """Sends all of the data, with the descriptors at its beginning.

    When it fails the other side has not had all. It may close the connection
    once it has, so not even nothing is sent after that.
    """
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', descriptors))]
    sent = connection.sendmsg([data], rights)
    if sent < len(data):
        connection.sendall(data[sent:])


def receive(connection):
    """What has come, and the descriptors that came with it; b'' at the end."""
    size = array.array('i').itemsize
    try:
        data, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(16 * size))
    except OSError:
        return b'', []
    descriptors = array.array('i')
    for level, kind, sent in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(sent[:len(sent) - len(sent) % size])
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return data, list(descriptors)
