#!/bin/sh
# house.sh: rules that a grep can see: what each module owns, calls that nobody makes, sizes, the files of an applet.
set -eu
export LC_ALL=C
bad=0
complain() {
  [ -z "$2" ] || {
    printf 'house: %s\n%s\n' "$1" "$2" >&2
    bad=1
  }
}
code() {
  grep -nE "$1" applets/*.c common/*/*.c common/*/*.h | grep -vE '^[^:]+:[0-9]+: *(\*|//|/\*)' || :
}

complain 'calls that the house does not use:' \
  "$(code '(^|[^a-z_.>])(atoi|atol|strcpy|strcat|sprintf|gets|system|popen|signal|alarm|usleep)\(')"
complain 'fork, wait, sigaction outside spawn, worker, reap, sigs, tick:' \
  "$(code '(^|[^a-z_])(v?fork|clone|execv[pe]*|waitpid|waitid|wait4|sigaction|sigprocmask|posix_spawnp?)\(' |
    grep -vE '^common/[a-z]*/(spawn|worker|reap|sigs|tick)\.c:' || :)"
complain 'functions over 60 lines:' "$(awk '
  FNR == 1 { start = 0 }
  /^[A-Za-z_].*\)( *\{)?$/ { start = FNR; name = $0 }
  /^}/ && start { if (FNR - start > 60) print FILENAME ":" start ": " name; start = 0 }' applets/*.c common/*/*.c)"
complain 'files over 500 lines:' "$(wc -l applets/*.c common/*/*.[ch] bats/*.bats | awk '$2 != "total" && $1 > 500')"
# .data.rel.ro holds constants that the loader relocates; all else that can be written is state
complain 'non-const globals outside sigs.c, speak.c, tick.c:' "$(for object in "$1"/common/*/*.o "$1"/applets/*.o; do
  objdump -t "$object" | awk -v o="$object" '$3 == "O" && ($4 == ".data" || $4 == ".bss") || $2 == "O" &&
    ($3 == ".data" || $3 == ".bss" || $3 == "*COM*") {print o ": " $NF}' | grep -vE '/(sigs|speak|tick)\.o: ' || :
done)"
complain 'symbols exported by an applet beside its own:' "$(for object in "$1"/applets/*.o; do
  nm -o --defined-only --extern-only "$object" | grep -vE " applet_$(basename "$object" .o | tr - _)$" || :
done)"
complain 'applets without a manual page or tests:' "$(for applet in applets/*.c; do
  name=$(basename "$applet" .c)
  [ -e "man/$name.1" ] || [ -e "man/ipcbox-$name.1" ] || echo "man/$name.1"
  [ -e "bats/$name.bats" ] || echo "bats/$name.bats"
done)"
complain 'applets without a use on a bad day:' "$(for applet in applets/*.c; do
  name=$(basename "$applet" .c)
  for uses in bats/hostile-start.bats check/torture/uses; do
    grep -qE "(^|[ |])$name( |$)" $uses || echo "$name in $uses"
  done
done)"
complain 'tests that sleep (wait for an event; a PROG that is only there writes its time with a unit, sleep 600s):' \
  "$(grep -nE '(^|[^a-z_-])sleep [0-9.]+ *$' bats/*.bats bats/helper/*.bash || :)"
complain 'a command substitution is expanded once, before until_true looks (use eval):' \
  "$(grep -nE 'until_true (test|\[) .*\$\(' bats/*.bats bats/helper/*.bash || :)"
# shellcheck disable=SC2016 # for awk
complain 'a skip in what `run` runs skips nothing (call need_... before):' "$(awk '
  /^[a-z_0-9]+\(\) \{/ { name = $1; sub(/\(.*/, "", name) }
  name != "" && !/^ *#/ && /(^|[ |&;])skip / { skips[name] = 1 }
  /^}/ { name = "" }
  { line[NR] = FILENAME ":" FNR ": " $0 }
  END {
    for (i = 1; i <= NR; i++)
      if (match(line[i], /[ (]run( -[^ ]+)* [a-z_0-9]+( |$)/)) {
        called = substr(line[i], RSTART, RLENGTH)
        sub(/ $/, "", called)
        sub(/.* /, "", called)
        if (called in skips) print line[i]
      }
  }' bats/helper/*.bash bats/*.bats)"
complain 'a bare ! in tests proves nothing:' "$(grep -nE '^ *! ' bats/*.bats | grep -vE '(\|\|| && ) [a-z]' || :)"
exit $bad
