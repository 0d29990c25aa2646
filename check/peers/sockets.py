#!/usr/bin/env python3
"""The other side of the experiments in servers.sh. ADDRESS is HOST:PORT, or the path of a Unix socket, with a slash.

ask ADDRESS TEXT     sends TEXT and a half-close, prints what comes; fails after a reset
keep ADDRESS         stays connected, until it is killed
datagrams ADDRESS N  sends N datagrams from one socket, each after the answer to the one before; prints the answers
reset ADDRESS        a server: sends a line to the first client; resets the connection once there is a file `go`
slow ADDRESS         a server: answers the first client, after its half-close, once there is a file `go`
free                 prints a port that is free
activate PROG...     runs PROG as a service manager does, with a listening socket as fd 3 (LISTEN_FDS)
inetd ADDRESS PROG...  the same as inetd does: the socket is fd 0

With STRANGER in the environment, a client is another one: its address is 127.0.0.2, or its user ID 65534. With TLS, it
speaks that. A file `connected` says that `ask` is, `keeper` has the PID of `keep`, `at` the address of a server.
"""
import os
import socket
import ssl
import struct
import sys
import time

PATIENCE = 30
ANSWER = b"answer\n" * 100000


def family_of(address):
    if "/" in address:
        return socket.AF_UNIX, address
    host, port = address.rsplit(":", 1)
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(port))


def note(name, text=""):
    with open(name + ".new", "w") as file:
        file.write(text)
    os.rename(name + ".new", name)


def connected(address, kind=socket.SOCK_STREAM):
    family, where = family_of(address)
    if "STRANGER" in os.environ and family == socket.AF_UNIX and os.getuid() == 0:
        os.setuid(65534)
    peer = socket.socket(family, kind)
    if "STRANGER" in os.environ and family == socket.AF_INET:
        peer.bind(("127.0.0.2", 0))
    peer.settimeout(PATIENCE)
    peer.connect(where)
    if "TLS" in os.environ:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(peer)
    return peer


def listening(address):
    family, where = family_of(address)
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(where)
    listener.listen()
    note("at", address if family == socket.AF_UNIX else "%s:%d" % listener.getsockname()[:2])
    return listener


def until_go():
    while not os.path.exists("go"):
        time.sleep(0.02)


def ask(address, text):
    peer = connected(address)
    if "STRANGER" not in os.environ:
        note("connected")
    peer.sendall(text.encode())
    if "TLS" not in os.environ:
        peer.shutdown(socket.SHUT_WR)
    while data := peer.recv(65536):
        sys.stdout.buffer.write(data)
        sys.stdout.flush()


def keep(address):
    peer = connected(address)
    note("keeper", str(os.getpid()))
    peer.settimeout(None)
    while peer.recv(65536):
        pass


def datagrams(address, count):
    peer = connected(address, socket.SOCK_DGRAM)
    for number in range(int(count)):
        peer.send(b"%d\n" % number)
        print(peer.recv(65536).decode(), end="", flush=True)


def reset(address):
    peer = listening(address).accept()[0]
    peer.sendall(b"partial\n")
    until_go()
    # over TCP by SO_LINGER, over a Unix socket by what was not read
    if family_of(address)[0] != socket.AF_UNIX:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def slow(address):
    peer = listening(address).accept()[0]
    while peer.recv(65536):
        pass
    note("eof")
    until_go()
    peer.sendall(ANSWER)


def free():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1])


def activate(*prog):
    listener = listening("127.0.0.1:0")
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.execvp(prog[0], prog)


def inetd(address, *prog):
    listener = listening(address)
    os.dup2(listener.fileno(), 0)
    os.execvp(prog[0], prog)


if __name__ == "__main__":
    commands = (ask, keep, datagrams, reset, slow, free, activate, inetd)
    {command.__name__: command for command in commands}[sys.argv[1]](*sys.argv[2:])
