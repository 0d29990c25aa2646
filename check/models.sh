#!/bin/sh
# models.sh: every interleaving of the protocols of locks, pidfiles, leases and FIFOs, by spin(1), in models/*.pml: what the pages
# promise holds, and does not in the models that are wrong on purpose, or the property would say nothing. The runs are in the
# models: a line `run: [-DNAME]...` is to hold, `wrong: -DNAME...` must not.
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
bad=0
# explore MODEL WORD...: the verdict of all that can happen: `errors states seconds`
explore() {
  model=$1
  shift
  rm -f pan pan.* ./*.trail
  spin "$@" -a "$here/models/$model.pml" >spin.out 2>&1 || {
    cat spin.out >&2
    return 1
  }
  ${CC:-cc} -w -O2 -DSAFETY -DMEMLIM=2000 -o pan pan.c
  ./pan -m1000000 >pan.out 2>&1 || :
  ! grep -q 'reached -DMEMLIM\|max search depth too small' pan.out || {
    cat pan.out >&2
    return 1
  }
  awk '/errors:/ { errors = $NF } /states, stored/ { states = $1 } END { print errors, states }' pan.out
}
printf '%-8s %-6s %-42s %10s  %s\n' model want with states verdict
for file in "$here"/models/*.pml; do
  model=$(basename "$file" .pml)
  sed -n 's/^ \* \(run\|wrong\): *\(.*\)$/\1 \2/p' "$file" >runs
  while read -r want with; do
    # shellcheck disable=SC2086
    result=$(explore "$model" $with) || result='? ?'
    errors=${result% *}
    verdict=$(case $want:$errors in run:0) echo holds ;; wrong:[1-9]*) echo 'fails, as it must' ;; *) echo 'NOT AS IT MUST BE' ;; esac)
    printf '%-8s %-6s %-42s %10s  %s\n' "$model" "$want" "${with:--}" "${result#* }" "$verdict"
    [ "$verdict" != 'NOT AS IT MUST BE' ] || {
      bad=1
      cat pan.out >&2
    }
  done <runs
done
exit $bad
