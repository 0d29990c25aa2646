# zsh completion for ipcbox and its applets, printed by `ipcbox --completion zsh`.
#
# _ipcbox_table APPLET prints what the applet can be told; its form is described in common/complete.c. The word at
# the cursor is PREFIX; words and CURRENT are zsh's.

_ipcbox_offer() {
  local -a list=("$@")
  compadd -Q -a list
}

_ipcbox_keys() {
  local key id rest
  local -a list=(private)
  cat /proc/sysvipc/{shm,sem,msg} 2>/dev/null | while read -r key id rest; do
    case $key in
    key) ;;
    0) list+=("id:$id") ;;
    *) list+=("$((key & 0xffffffff))") ;;
    esac
  done
  compadd -a list
  [[ $PREFIX != */* ]] || _files
}

_ipcbox_hosts() {
  local -a list
  list=(${(u)${(f)"$(
    sed 's/#.*//' /etc/hosts 2>/dev/null | awk '{ for (i = 2; i <= NF; i++) print $i }'
    cat ~/.ssh/known_hosts /etc/ssh/ssh_known_hosts 2>/dev/null | awk '!/^[#@|]/ { print $1 }' | tr , '\n' |
      sed 's/^\[\(.*\)\]:[0-9]*$/\1/; /[*?!]/d'
  )"}})
  compadd -a list
}

# The kind that is given: what an option or operand of an applet can be.
_ipcbox_kind() {
  local number=${PREFIX%%[^0-9]*}
  local -a list
  case $1 in
  '='*) compadd -- ${(s:|:)1#=} ;;
  *,)
    compset -P '*,'
    _ipcbox_suffix=(-S '')
    _ipcbox_kind ${1%,}
    ;;
  *:*)
    if compset -P 1 '*:'; then
      _ipcbox_kind ${1#*:}
    else
      _ipcbox_suffix=(-S '')
      _ipcbox_kind ${1%:*}
    fi
    ;;
  file) _files ;;
  dir) _files -/ ;;
  user) _users "${_ipcbox_suffix[@]}" ;;
  group) _groups "${_ipcbox_suffix[@]}" ;;
  signal)
    list=(${signals:#(EXIT|ZERR|DEBUG)})
    [[ $PREFIX != (#i)sig* ]] || list=(SIG${^list})
    compadd "${_ipcbox_suffix[@]}" -M 'm:{a-z}={A-Z}' -a list
    ;;
  sigaction)
    if compset -P 1 '*='; then
      compadd ignore restart
      compadd -S '' exec:
    else
      _ipcbox_suffix=(-S =)
      _ipcbox_kind signal
    fi
    ;;
  host) _ipcbox_hosts ;;
  ip) compadd 127.0.0.1 ::1 0.0.0.0 :: ;;
  iface) compadd -- /sys/class/net/*(N:t) ;;
  port) compadd -- ${(u)$(sed -n 's/^\([a-z][^ \t]*\)[ \t].*/\1/p' /etc/services 2>/dev/null)} ;;
  fd) compadd -- /proc/$$/fd/*(N:t) ;;
  key) _ipcbox_keys ;;
  mode) compadd 0600 0640 0644 0660 0666 0700 0755 ;;
  size) compadd ${number:-64}k ${number:-1}M ${number:-1}G ;;
  time) compadd ${number:-250}ms ${number:-5}s ${number:-1}m ${number:-1}h ${number:-1}d ;;
  pid) _pids ;;
  url) compadd -S '' http:// ;;
  env) [[ $PREFIX == *=* ]] || compadd -S = -- ${(k)parameters[(R)*export*]} ;;
  cmd) [[ $PREFIX == *\ * ]] || _command_names -e ;;
  applet)
    list=(${${(f)"$(_ipcbox_applets)"}/ /:})
    _describe -t applets applet list
    ;;
  esac
}

# The program that begins at the word with that index: its own completion.
_ipcbox_program() {
  words=("${(@)words[$1,-1]}")
  ((CURRENT -= $1 - 1))
  _normal
}

# The operand at the cursor, of which `first` is the index of the first: by the forms that fit.
_ipcbox_operand() {
  local line form kind i n
  local -a best parts
  for line in $forms; do
    parts=(${=line}) # : COMMANDS OPTIONS KIND...
    if [[ $parts[2] == - ]]; then
      [[ -z $command ]] || continue
    else
      [[ -n $command && "|$parts[2]|" == *"|$command|"* ]] || continue
    fi
    if [[ $parts[3] == - ]]; then
      best+=("${(j: :)parts[4,-1]}")
    elif [[ -n ${(M)given:#(${~parts[3]})} ]]; then
      best=("${(j: :)parts[4,-1]}")
      break
    fi
  done
  for form in $best; do
    i=$first
    for kind in ${=form}; do
      case $kind in
      prog*)
        ((i >= CURRENT)) || [[ $words[i] != -- ]] || ((i++))
        if [[ $kind == *+ ]]; then
          for ((n = i; n < CURRENT; n++)); do
            [[ ${(Q)words[n]} != "$separator" ]] || i=$((n + 1))
          done
        fi
        _ipcbox_program $i
        return
        ;;
      sigaction\*)
        while ((i < CURRENT)) && [[ $words[i] == [^=]*=* ]]; do ((i++)); done
        ((i < CURRENT)) || _ipcbox_kind sigaction
        ((i > first)) && [[ $PREFIX$IPREFIX != *=* ]] || break
        continue
        ;;
      *\*) i=$CURRENT ;;
      esac
      if ((i == CURRENT)); then
        _ipcbox_kind ${kind%\*}
        break
      fi
      ((i++))
    done
  done
}

# The options of the words before the cursor: fills given, command, separator, first; `pending` is the kind of the
# value that the cursor is at.
_ipcbox_scan() {
  local i word letter kind ended
  for ((i = 2; i < CURRENT; i++)); do
    word=${(Q)words[i]}
    if [[ -n $ended || $word != -?* ]]; then
      if [[ -z $command ]] && ((${commands_of[(Ie)$word]})); then
        command=$word
        continue
      fi
      break
    fi
    case $word in
    --) ended=1 ;;
    --*=*) given+=(${word%%=*}) ;;
    --*)
      given+=($word)
      kind=${kinds[${word#--}]-}
      [[ -z $kind || $kind == [-?]* ]] || pending=$kind
      ;;
    *)
      for ((letter = 2; letter <= $#word; letter++)); do
        given+=(-$word[letter])
        kind=${letters[$word[letter]]-}
        [[ -z $kind || $kind == [-?]* ]] && continue
        ((letter < $#word)) || pending=$kind
        break
      done
      ;;
    esac
    if [[ -n $pending ]]; then
      ((++i < CURRENT)) || return
      [[ $word != --sep ]] || separator=${(Q)words[i]}
      pending=
    fi
    [[ $word != --sep=* ]] || separator=${word#*=}
  done
  first=$i
  if ((first >= CURRENT)) && [[ -z $ended ]]; then at_options=1; fi
}

# The applet NAME, whose own word is the first.
_ipcbox_applet() {
  local command separator=::: pending at_options first=0 line letter name kind rest
  local -A kinds letters
  local -a forms names commands_of given _ipcbox_suffix
  for line in "${(f)$(_ipcbox_table $1)}"; do
    letter=${line%% *} rest=${line#* }
    name=${rest%% *} rest=${rest#* }
    kind=${rest%% *} rest=${rest#* }
    if [[ $letter == : ]]; then
      forms+=("$line")
      [[ $name == - ]] || commands_of+=(${(s:|:)name})
    elif [[ $letter == ? ]]; then
      kinds[$name]=$kind
      names+=("--$name:$rest")
      [[ $letter == - ]] || { letters[$letter]=$kind; names+=("-$letter:$rest") }
    fi
  done
  _ipcbox_scan
  if [[ -n $pending ]]; then
    _ipcbox_kind $pending
  elif [[ -n $at_options && $PREFIX == --*=* ]]; then
    kind=${kinds[${${PREFIX%%=*}#--}]-}
    compset -P 1 '*='
    _ipcbox_kind ${kind#\?}
  elif [[ -n $at_options && $PREFIX == -* ]]; then
    _describe -o options names
  elif [[ $1 == ipcbox && -z $command && -z $given ]] && ((first < CURRENT)); then
    shift words
    ((CURRENT--))
    _ipcbox_applet ${(Q)words[1]}
  else
    [[ -n $command ]] || ((first < CURRENT)) || compadd -a commands_of
    _ipcbox_operand
  fi
}

_ipcbox() {
  setopt localoptions extendedglob noksharrays
  local name=${${(Q)words[1]}:t}
  # PREFIX-APPLET is the applet
  while [[ $name == *-* && -z $(_ipcbox_table $name) ]]; do name=${name#*-}; done
  _ipcbox_applet $name
}

