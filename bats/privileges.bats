# -u USER, whoever we are before: no capability is left, and there is no way back.

load helper/daemon

setup() {
  daemon_setup
  need_root
  need setpriv util-linux
  nobody=$(id -u nobody) nogroup=$(getent group nogroup | cut -d: -f3)
  as_it=(setpriv --reuid "$nobody" --regid "$nogroup")
  show=(sh -c 'grep -E "^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)):" /proc/self/status')
}

teardown() {
  daemon_teardown
}

# with SETPRIV-OPTION... -- APPLET [ARG]...: the applet, which that user may not be able to reach
with() {
  local options=()
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  setpriv "${options[@]}" bash -c 'exec -a "$1" /proc/self/fd/9 "${@:2}"' '' "${@:2}" 9<"$IPCBOX"
}

# is_nobody [GROUPS]: what show has said in $output
is_nobody() {
  local name
  [[ $output == *"Uid:"$'\t'"$nobody"$'\t'"$nobody"$'\t'"$nobody"$'\t'"$nobody"$'\n'* ]]
  [[ $output == *"Gid:"$'\t'"$nogroup"$'\t'"$nogroup"$'\t'"$nogroup"$'\t'"$nogroup"$'\n'* ]]
  [ "$(sed -n 's/^Groups:[[:space:]]*//p' <<<"$output" | xargs)" = "${1-$nogroup}" ]
  for name in Inh Prm Eff Amb; do
    [[ $output == *"Cap$name:"$'\t0000000000000000'* ]]
  done
}

@test "a user with capabilities who becomes himself has none of them, and the groups that were asked for" {
  local caps=+setuid,+setgid,+kill
  as_it+=(--groups 0,4343)
  run -0 with "${as_it[@]:1}" --inh-caps "$caps" --ambient-caps "$caps" -- safepipe "${show[@]}"
  [[ $output == *"CapEff:"$'\t'*e0$'\n'* ]]
  run -0 with "${as_it[@]:1}" --inh-caps "$caps" --ambient-caps "$caps" -- safepipe -u nobody "${show[@]}"
  is_nobody
  run -0 with "${as_it[@]:1}" --inh-caps "$caps" --ambient-caps "$caps" -- daemonize --foreground -u nobody "${show[@]}"
  is_nobody
  # inheritable ones alone are those of a program that is given them (capabilities(7))
  run -0 with "${as_it[@]:1}" --inh-caps "$caps" -- safepipe -u nobody "${show[@]}"
  is_nobody "0 4343"
  # without the right to set groups
  run -0 with "${as_it[@]:1}" --inh-caps +setuid --ambient-caps +setuid -- safepipe -u nobody "${show[@]}"
  is_nobody "0 4343"
  run -0 with "${as_it[@]:1}" --inh-caps +chown --ambient-caps +chown -- safepipe -g nogroup "${show[@]}"
  is_nobody "0 4343"
}

@test "root, whose capabilities setresuid(2) would leave to the user, leaves none" {
  local program
  for program in safepipe "daemonize --foreground"; do
    # shellcheck disable=SC2086 # words
    run -0 with --securebits +no_setuid_fixup -- $program -u "$nobody:$nogroup" "${show[@]}"
    is_nobody
  done
}

@test "a user without privileges who becomes himself goes on, with his groups; and nobody else" {
  run -0 with "${as_it[@]:1}" --groups 4343 -- safepipe -u nobody "${show[@]}"
  is_nobody 4343
  run -0 with "${as_it[@]:1}" --clear-groups -- safepipe -u "$nobody:$nogroup" "${show[@]}"
  is_nobody ''
  run -111 with "${as_it[@]:1}" --clear-groups -- safepipe -u daemon true
  run -111 with "${as_it[@]:1}" --clear-groups -- safepipe -u "$nobody:daemon" true
}

@test "-u root and a -g alone leave root what it has" {
  local all
  all=$(sed -n 's/^CapPrm://p' /proc/self/status)
  run -0 safepipe -u root "${show[@]}"
  [[ $output == *"CapPrm:$all"* ]]
  run -0 safepipe -g nogroup "${show[@]}"
  [[ $output == *"CapPrm:$all"* ]]
}
