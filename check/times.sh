#!/bin/sh
# times.sh BINARY: a dynamic binary whose long has 32 bits calls no function whose times have 32. With _FORTIFY_SOURCE glibc up
# to 2.36 calls the old ppoll(2), for example, whatever _TIME_BITS says. Prints those that it calls, and fails then.
set -eu
export LC_ALL=C
nm -D "$1" | awk '
  $1 == "U" { sub(/@.*/, "", $2); calls++ }
  $2 ~ /^((__)?ppoll(_chk)?|select|pselect|nanosleep|clock_(gettime|nanosleep)|sigtimedwait|semtimedop|recvmmsg|time|gettimeofday)$/ ||
  $2 ~ /^([a-z]?stat(64)?|fstatat(64)?|utimensat|futimens|setitimer|timerfd_settime|(gm|local)time(_r)?|timegm|mktime|mq_timed.*)$/ {
    print "times: it calls " $2
    bad = 1
  }
  END { exit bad || !calls }'
