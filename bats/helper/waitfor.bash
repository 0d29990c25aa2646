# What the waitfor files share.

load helper/launch

# waits WORDS...: waitfor with a limit.
waits() {
  timeout --foreground 60 waitfor "$@"
}
