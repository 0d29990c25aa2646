# udpserver: what hostile senders, limits and its own end must not do to it.

load helper/udp

setup() {
  udp_setup
}

teardown() {
  udp_teardown
}

# ---- answers to Unix sockets ----

@test "--unix: no answer to a relative name, nor through a name that leads elsewhere by now" {
  need python3 python3
  mkfifo go
  start srv udpserver --unix ./sock sh -c ': <go; echo chosen'
  python3 - <<'END'
import os, socket, time
victim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
victim.bind("victim")
victim.setblocking(False)
def ask(name):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(name)
    s.sendto(b"x", "sock")
    return s
a = ask("relative")
b = ask(os.getcwd() + "/link")
c = ask(os.getcwd() + "/file")
d = ask(os.getcwd() + "/true")
d.settimeout(60)
os.unlink("link")
os.symlink("victim", "link")
os.unlink("file")
open("file", "w").close()
go = os.open("go", os.O_RDWR)
assert d.recv(99) == b"chosen\n"
end = time.monotonic() + 60
while time.monotonic() < end and open("srv.err").read().count(": answer ") < 3:
    time.sleep(0.01)
try:
    victim.recv(99)
    os._exit(1)
except BlockingIOError:
    pass
END
  counts 4 4 0 0 1
  grep -q '^udpserver: answer relative: the name of its socket is a relative path$' srv.err
  [ "$(grep -c "/\(link\|file\): its name does not lead to a socket of the sender's$" srv.err)" -eq 2 ]
}

@test "--unix: no answer to a socket of another user than the sender" {
  need_root
  need python3 python3
  chmod 755 .
  mkfifo go
  start srv udpserver -p 0666 --unix ./sock sh -c ': <go; echo chosen'
  python3 - <<'END'
import os, socket, time
victim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
victim.bind("victim")
pid = os.fork()
if not pid:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(os.getcwd() + "/me")
    s.connect("sock")
    os.setuid(65534)
    s.send(b"x")
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
os.rename("victim", "me")
go = os.open("go", os.O_RDWR)
while ": answer " not in open("srv.err").read():
    time.sleep(0.01)
victim.setblocking(False)
try:
    print(victim.recv(99))
    os._exit(1)
except BlockingIOError:
    pass
END
  counts 1 1 0 0 0
}

# ---- its end ----

@test "--drain: clients that go on sending do not keep it from ending" {
  need python3 python3
  local at
  for at in "127.0.0.1 0" "--unix ./sock"; do
    rm -f client.out
    # shellcheck disable=SC2086
    start srv udpserver -c 2 --drain 300 $at cat
    # a few that are this large fill the memory of the socket
    background flood timeout 100 python3 -c '
import socket, sys
unix = sys.argv[1].startswith(".")
s = socket.socket(socket.AF_UNIX if unix else socket.AF_INET, socket.SOCK_DGRAM)
s.connect(sys.argv[1] if unix else ("127.0.0.1", int(sys.argv[1])))
print("begun", flush=True)
while True:
    try:
        s.send(b"x" * 60000)
    except OSError:
        sys.exit(0)
' "$srv_at"
    until_true [ -s flood.out ]
    until_line srv.err 'clients wait$'
    kill -TERM "$srv"
    ends_with 0 "$srv"
    ends_with 0 "$flood"
  done
}

# ---- what runs out ----

@test "a datagram that ulimit -f has no room for fails, and the next are served" {
  script bin/limited 'ulimit -f 1; exec udpserver "$@"'
  start srv limited 127.0.0.1 0 wc -c
  udpclient -n 0 --whole 127.0.0.1 "$srv_at" < <(head -c 5000 /dev/zero)
  run -0 ask hello
  [ "$output" -eq 5 ]
  grep -q '^udpserver: write the datagram .*File too large$' srv.err
  counts 2 1 0 1 1
}

@test "SCM_PIDFD: pidfds that an inherited Unix socket gets are closed" {
  need python3 python3
  python3 -c 'import socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).setsockopt(socket.SOL_SOCKET, 76, 1)' ||
    skip "needs SO_PASSPIDFD (Linux 6.5)"
  script bin/inheriting 'exec python3 -c "
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 76, 1)
s.bind(\"sock\")
os.dup2(s.fileno(), 0)
os.execvp(\"udpserver\", [\"udpserver\"] + sys.argv[1:])" "$@"'
  start srv inheriting --inherit-fd 0 cat
  run -0 udpclient -t 30 --unix ./sock first
  [ "$output" = first ]
  local fds
  fds=$(fd_count "$srv")
  run -0 bash -c 'seq 50 | udpclient -n 50 -t 60 --unix ./sock | sort -n'
  [ "$output" = "$(seq 50)" ]
  until_true no_children "$srv"
  [ "$(fd_count "$srv")" -le "$fds" ]
}
