# bash completion for ipcbox and its applets, printed by `ipcbox --completion bash`.
# shellcheck shell=bash disable=SC2207
#
# _ipcbox_table APPLET prints what the applet can be told; its form is described in common/complete.c.

# Readline breaks words at = and :, too. Puts them together again, as the shell will see them: words, the index in
# COMP_WORDS at which each begins (at), the one at the cursor (cword, cur), and in `lead` the part of it that readline
# takes for a word before.
_ipcbox_words() {
  local i piece blanks rest=${COMP_LINE-} point=${COMP_POINT:-${#COMP_LINE}} done=0
  words=() at=() lead=
  for ((i = 0; i <= COMP_CWORD; i++)); do
    piece=${COMP_WORDS[i]}
    blanks=${rest%%[![:blank:]]*}
    ((done += ${#blanks}))
    rest=${rest#"$blanks"}
    ((i < COMP_CWORD || point < done || point > done + ${#piece})) || piece=${piece:0:point-done}
    if ((i == 0)) || [[ $blanks || ! $COMP_LINE ]]; then
      words+=("$piece")
      at+=("$i")
      lead=
    else
      lead=${words[-1]}
      words[-1]+=$piece
    fi
    [[ $piece != [=:] ]] || lead=${words[-1]}
    ((done += ${#COMP_WORDS[i]}))
    rest=${rest:${#COMP_WORDS[i]}}
  done
  cword=$((${#words[@]} - 1))
  cur=$(_ipcbox_unquoted "${words[cword]}")
}

_ipcbox_unquoted() {
  case $1 in
  [\"\']*) printf %s "${1#?}" ;;
  *) printf %s "${1//\\/}" ;;
  esac
}

# Offers those words that begin with $value; $before is what stands in front of it in the same word.
_ipcbox_offer() {
  local word
  for word; do
    [[ $word != "$value"* ]] || COMPREPLY+=("$before$word")
  done
}

_ipcbox_offer_lines() {
  local lines
  mapfile -t lines
  _ipcbox_offer "${lines[@]}"
}

_ipcbox_more() {
  compopt -o nospace 2>/dev/null
}

# _ipcbox_files [-d]: files, or directories alone; readline quotes them and puts / behind directories.
_ipcbox_files() {
  local found
  compopt -o filenames 2>/dev/null
  mapfile -t found < <(compgen "${1:--f}" -- "$value")
  COMPREPLY+=("${found[@]/#/$before}")
}

_ipcbox_hosts() {
  local names line
  while read -r -a names; do
    [[ ${names[0]-} == \#* ]] || _ipcbox_offer "${names[@]:1}"
  done < <(sed 's/#.*//' "${HOSTFILE:-/etc/hosts}" 2>/dev/null)
  while read -r line _; do
    [[ $line == [\#@\|]* ]] || _ipcbox_offer_lines < <(tr , '\n' <<<"$line" | sed 's/^\[\(.*\)\]:[0-9]*$/\1/; /[*?!]/d')
  done < <(cat ~/.ssh/known_hosts /etc/ssh/ssh_known_hosts 2>/dev/null)
}

# System V objects that are there, by key or, where that is private, by identifier
_ipcbox_keys() {
  local key id
  while read -r key id _; do
    case $key in
    key) ;;
    0) _ipcbox_offer "id:$id" ;;
    *) _ipcbox_offer "$((key & 0xffffffff))" ;;
    esac
  done < <(cat /proc/sysvipc/{shm,sem,msg} 2>/dev/null)
  _ipcbox_offer private
  [[ $value != */* ]] || _ipcbox_files
}

# The kind that is given, for $value: what an option or operand of an applet can be.
_ipcbox_kind() {
  local number=${value%%[!0-9]*} file list
  case $1 in
  =*) IFS='|' read -ra list <<<"${1#=}" && _ipcbox_offer "${list[@]}" ;;
  *,)
    before+=${value%"${value##*,}"} value=${value##*,}
    _ipcbox_kind "${1%,}"
    _ipcbox_more
    ;;
  *:*)
    if [[ $value == *:* ]]; then
      before+=${value%%:*}: value=${value#*:}
      _ipcbox_kind "${1#*:}"
    else
      _ipcbox_kind "${1%:*}"
      _ipcbox_more
    fi
    ;;
  file) _ipcbox_files ;;
  dir) _ipcbox_files -d ;;
  user) _ipcbox_offer_lines < <(compgen -u) ;;
  group) _ipcbox_offer_lines < <(compgen -g) ;;
  signal)
    [[ $value == [sS][iI][gG]* ]] || _ipcbox_offer_lines < <(compgen -A signal | sed -n 's/^SIG//p')
    [[ $value != SIG* ]] || _ipcbox_offer_lines < <(compgen -A signal SIG)
    ;;
  sigaction)
    if [[ $value == *=* ]]; then
      before+=${value%%=*}= value=${value#*=}
      _ipcbox_offer ignore restart exec:
    else
      before='' value=$value _ipcbox_kind signal
      COMPREPLY=("${COMPREPLY[@]/%/=}")
    fi
    _ipcbox_more
    ;;
  host) _ipcbox_hosts ;;
  ip) _ipcbox_offer 127.0.0.1 ::1 0.0.0.0 :: ;;
  iface) for file in /sys/class/net/*; do _ipcbox_offer "${file##*/}"; done ;;
  port) _ipcbox_offer_lines < <(sed -n 's/^\([a-z][^ \t]*\)[ \t].*/\1/p' /etc/services 2>/dev/null | sort -u) ;;
  fd) for file in "/proc/$$/fd/"*; do [[ ${file##*/} == 255 ]] || _ipcbox_offer "${file##*/}"; done ;;
  key) _ipcbox_keys ;;
  mode) _ipcbox_offer 0600 0640 0644 0660 0666 0700 0755 ;;
  size) _ipcbox_offer "${number:-64}k" "${number:-1}M" "${number:-1}G" ;;
  time) _ipcbox_offer "${number:-250}ms" "${number:-5}s" "${number:-1}m" "${number:-1}h" "${number:-1}d" ;;
  pid) for file in /proc/[0-9]*; do _ipcbox_offer "${file##*/}"; done ;;
  url)
    _ipcbox_offer http://
    _ipcbox_more
    ;;
  env)
    [[ $value == *=* ]] || _ipcbox_offer_lines < <(compgen -e)
    COMPREPLY=("${COMPREPLY[@]/%/=}")
    _ipcbox_more
    ;;
  cmd) [[ $value == *' '* ]] || _ipcbox_offer_lines < <(compgen -c -- "$value" | sort -u) ;;
  applet) while read -r file _; do _ipcbox_offer "$file"; done < <(_ipcbox_applets) ;;
  esac
}

# The program that begins at the word with that index: its own completion.
_ipcbox_program() {
  local i name=${words[$1]##*/}
  if declare -F _comp_command_offset >/dev/null; then
    _comp_command_offset "${at[$1]}"
  elif declare -F _command_offset >/dev/null; then
    _command_offset "${at[$1]}"
  elif ((cword > $1)) && [[ $(_ipcbox_table "$name") ]]; then
    _ipcbox_applet "$1" "$name"
  else
    (($1 < cword)) || _ipcbox_offer_lines < <(compgen -c -- "$value" | sort -u)
    _ipcbox_files
  fi
}

# Whether that word of a form, "a|b" or "-", is among $given.
_ipcbox_given() {
  local one
  for one in ${1//|/ }; do
    [[ " $given " != *" $one "* ]] || return 0
  done
  return 1
}

# The operand at the cursor, of which `first` is the index of the first: by the forms that fit.
_ipcbox_operand() {
  local line form commands options operands kind i n best=()
  for line in "${forms[@]}"; do
    read -r _ commands options operands <<<"$line"
    case $command/$commands in
    /-) ;;
    */-) continue ;;
    *) [[ "|$commands|" == *"|$command|"* ]] || continue ;;
    esac
    if [[ $options == - ]]; then
      best+=("$operands")
    elif _ipcbox_given "$options"; then
      best=("$operands")
      break
    fi
  done
  for form in "${best[@]}"; do
    i=$first
    for kind in $form; do
      case $kind in
      prog*)
        [[ ${words[i]} != -- || $i -ge cword ]] || ((i++))
        for ((n = i; n < cword && ${#kind} > 4; n++)); do
          [[ ${words[n]} != "$separator" ]] || i=$((n + 1))
        done
        _ipcbox_program "$i"
        return
        ;;
      sigaction\*)
        while ((i < cword)) && [[ ${words[i]} == [!=]*=* ]]; do ((i++)); done
        ((i < cword)) && continue
        # the first is one, a later word one or PROG
        [[ ! $cur && $i -gt $first ]] || _ipcbox_kind sigaction
        [[ $cur == *=* || $i == "$first" || ${COMPREPLY[0]-} ]] && return
        continue
        ;;
      *\*) i=$cword ;;
      esac
      if ((i == cword)); then
        _ipcbox_kind "${kind%\*}"
        break
      fi
      ((i++))
    done
  done
}

# The options of the words before the cursor: fills given, command, separator, first; `pending` is the kind of the
# value that the cursor is at.
_ipcbox_scan() {
  local i word letter kind ended=
  for ((i = $1 + 1; i < cword; i++)); do
    word=${words[i]}
    if [[ $ended || $word != -?* ]]; then
      if [[ ! $command && " $all_commands " == *" $word "* ]]; then
        command=$word
        continue
      fi
      break
    fi
    case $word in
    --) ended=1 ;;
    --*=*) given+=" ${word%%=*}" ;;
    --*)
      given+=" $word"
      kind=${kinds[${word#--}]-}
      [[ ! $kind || $kind == [-?]* ]] || pending=$kind
      ;;
    *)
      for ((letter = 1; letter < ${#word}; letter++)); do
        given+=" -${word:letter:1}"
        kind=${letters[${word:letter:1}]-}
        [[ ! $kind || $kind == [-?]* ]] && continue
        ((letter + 1 < ${#word})) || pending=$kind
        break
      done
      ;;
    esac
    if [[ $pending ]]; then
      ((++i < cword)) || return
      [[ $word != --sep ]] || separator=${words[i]}
      pending=
    fi
    [[ $word != --sep=* ]] || separator=${word#*=}
  done
  first=$i
  ((first >= cword)) && [[ ! $ended ]] && at_options=1
}

# The applet NAME, whose own word has the index START.
_ipcbox_applet() {
  local -A kinds=() letters=()
  local forms=() names=() all_commands='' command='' given='' separator=::: pending='' at_options='' first=0
  local letter name kind rest
  while read -r letter name kind rest; do
    if [[ $letter == : ]]; then
      forms+=("$letter $name $kind $rest")
      [[ $name == - ]] || all_commands+=" ${name//|/ }"
    elif [[ $letter == ? ]]; then
      kinds[$name]=$kind
      names+=("--$name")
      [[ $letter == - ]] || { letters[$letter]=$kind && names+=("-$letter"); }
    fi
  done < <(_ipcbox_table "$2" | tail -n +2)
  _ipcbox_scan "$1"
  if [[ $pending ]]; then
    _ipcbox_kind "$pending"
  elif [[ $at_options && $cur == --*=* ]]; then
    before=${cur%%=*}= value=${cur#*=}
    kind=${kinds[${before:2:-1}]-}
    _ipcbox_kind "${kind#\?}"
  elif [[ $at_options && $cur == -* ]]; then
    _ipcbox_offer "${names[@]}"
  else
    if [[ $2 == ipcbox && ! $command && ! $given ]] && ((first < cword)); then
      _ipcbox_applet "$first" "${words[first]}"
      return
    fi
    # shellcheck disable=SC2086 # words
    [[ $command ]] || ((first < cword)) || _ipcbox_offer $all_commands
    _ipcbox_operand
  fi
}

_ipcbox() {
  local words at cword cur lead before='' value name=${1##*/} i
  _ipcbox_words
  value=$cur
  COMPREPLY=()
  # PREFIX-APPLET is the applet
  while [[ $name == *-* && ! $(_ipcbox_table "$name") ]]; do name=${name#*-}; done
  _ipcbox_applet 0 "$name"
  [[ ! $lead ]] || COMPREPLY=("${COMPREPLY[@]#"$(_ipcbox_unquoted "$lead")"}")
}

