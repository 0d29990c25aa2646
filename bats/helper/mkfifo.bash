# What the mkfifo-sig files share: a PROG that never says the same twice, and readers.

load helper/tcpserver

mkfifo_setup() {
  server_setup
  # fresh output: never the same line twice
  : >count
  script counter 'read -r n <count || n=0; echo $((n + 1)) >count; echo "answer $((n + 1))"'
}

# ask [FIFO]: what a reader gets. (timeout: on that the test fails, which would wait for ever)
ask() {
  timeout --foreground 60 cat "${1:-sig}"
}

# answers TEXT: a new reader gets just that.
answers() {
  [ "$(ask sig)" = "$1" ]
}
