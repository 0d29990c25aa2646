# fish completion for ipcbox and its applets, printed by `ipcbox --completion fish`.
#
# __ipcbox_table APPLET prints what the applet can be told; its form is described in common/complete.c. fish itself
# picks those candidates that fit the word at the cursor.

function __ipcbox_files
    complete -C "'' $argv[1]"
end

# Each line of the input with that text before it
function __ipcbox_after
    while read -l line
        echo -- $argv[1]$line
    end
end

function __ipcbox_signals
    command kill -l 2>/dev/null | string split -n ' ' | string replace -r '^SIG' '' | string match -r '^[A-Z].*'
end

function __ipcbox_hosts
    begin
        sed 's/#.*//' /etc/hosts 2>/dev/null | awk '{ for (i = 2; i <= NF; i++) print $i }'
        cat ~/.ssh/known_hosts /etc/ssh/ssh_known_hosts 2>/dev/null | awk '!/^[#@|]/ { print $1 }' | tr , \n |
            sed 's/^\[\(.*\)\]:[0-9]*$/\1/; /[*?!]/d'
    end | sort -u
end

function __ipcbox_keys
    cat /proc/sysvipc/{shm,sem,msg} 2>/dev/null | awk '$1 == "key" { next }
        $1 == 0 { print "id:" $2; next }
        { printf "%.0f\n", $1 < 0 ? $1 + 4294967296 : $1 }'
    echo private
    string match -q '*/*' -- $argv[1]; and __ipcbox_files $argv[1]
end

# __ipcbox_kind KIND VALUE: candidates for what an option or operand of an applet can be; VALUE is what is there.
function __ipcbox_kind
    set -l value $argv[2]
    set -l number (string match -r '^[0-9]+' -- $value; or true)
    switch $argv[1]
        case '=*'
            string split '|' -- (string sub -s 2 -- $argv[1])
        case '*,'
            set -l done (string match -r '^.*,' -- $value; or echo)
            __ipcbox_kind (string sub -e -1 -- $argv[1]) (string replace -r '^.*,' '' -- $value) | __ipcbox_after "$done"
        case '*:*'
            set -l two (string split : -- $argv[1])
            set -l parts (string split -m 1 : -- $value)
            if set -q parts[2]
                __ipcbox_kind $two[2] $parts[2] | __ipcbox_after $parts[1]:
            else
                __ipcbox_kind $two[1] $value
            end
        case file
            __ipcbox_files $value
        case dir
            __ipcbox_files $value | string match -r '^.*/$'
        case user
            __fish_complete_users
        case group
            __fish_complete_groups
        case signal
            if string match -qi 'sig*' -- $value
                __ipcbox_signals | __ipcbox_after SIG
            else
                __ipcbox_signals
            end
        case sigaction
            set -l parts (string split -m 1 = -- $value)
            if set -q parts[2]
                printf '%s\n' $parts[1]={ignore,restart,exec:}
            else
                __ipcbox_kind signal $value | string replace -r '$' =
            end
        case host
            __ipcbox_hosts
        case ip
            printf '%s\n' 127.0.0.1 ::1 0.0.0.0 ::
        case iface
            string replace -r '.*/' '' -- /sys/class/net/*
        case port
            sed -n 's/^\([a-z][^ \t]*\)[ \t].*/\1/p' /etc/services 2>/dev/null | sort -u
        case fd
            string replace -r '.*/' '' -- /proc/$fish_pid/fd/*
        case key
            __ipcbox_keys $value
        case mode
            printf '%s\n' 0600 0640 0644 0660 0666 0700 0755
        case size
            set -q number[1]; or set number 1
            printf '%s\n' {$number}k {$number}M {$number}G
        case time
            set -q number[1]; or set number 5
            printf '%s\n' {$number}ms {$number}s {$number}m {$number}h {$number}d
        case pid
            __fish_complete_pids
        case url
            echo http://
        case env
            printf '%s=\n' (set -xn)
        case cmd
            complete -C "$value"
        case applet
            __ipcbox_applets | string replace ' ' \t
    end
end

# The program that begins at the word with that index: its own completion.
function __ipcbox_program --no-scope-shadowing
    set -l before
    test $argv[1] -lt $count; and set before (string escape -- $words[$argv[1]..-2])
    complete -C (string join ' ' -- $before $current)
end

# The operand at the cursor, of which $first is the index of the first: by the forms that fit.
function __ipcbox_operand --no-scope-shadowing
    set -l best
    for line in $forms
        set -l parts (string split ' ' -- $line) # : COMMANDS OPTIONS KIND...
        if test "$parts[2]" = -
            test -z "$command"; or continue
        else
            contains -- "$command" (string split '|' -- $parts[2]); or continue
        end
        if test "$parts[3]" = -
            set -a best "$parts[4..-1]"
        else
            set -l fits
            for option in (string split '|' -- $parts[3])
                contains -- $option $given; and set fits 1
            end
            if test -n "$fits"
                set best "$parts[4..-1]"
                break
            end
        end
    end
    for form in $best
        set -l i $first
        for kind in (string split -n ' ' -- $form)
            switch $kind
                case 'prog*'
                    test $i -lt $count -a "$words[$i]" = --; and set i (math $i + 1)
                    if test $kind = prog+ -a $i -lt $count
                        for n in (seq $i (math $count - 1))
                            test "$words[$n]" = "$separator"; and set i (math $n + 1)
                        end
                    end
                    __ipcbox_program $i
                    return
                case 'sigaction\\*'
                    while test $i -lt $count; and string match -qr '^[^=]+=' -- $words[$i]
                        set i (math $i + 1)
                    end
                    test $i -lt $count; or __ipcbox_kind sigaction $current
                    test $i -eq $first; or string match -q '*=*' -- $current; and break
                    continue
                case '*\\*'
                    set i $count
            end
            if test $i -eq $count
                __ipcbox_kind (string trim -r -c '*' -- $kind) $current
                break
            end
            set i (math $i + 1)
        end
    end
end

# The kind of the option that is written so, "-c" or "--concurrency"; nothing for one that is not there.
function __ipcbox_kind_of --no-scope-shadowing
    set -l at (contains -i -- $argv[1] $names); and echo $kinds[$at]
end

# __ipcbox_applet NAME START: the applet NAME, whose own word has the index START.
function __ipcbox_applet --no-scope-shadowing
    set -l names
    set -l kinds
    set -l helps
    set -l forms
    set -l commands
    set -l command
    set -l given
    set -l separator :::
    set -l pending
    set -l ended
    for line in (__ipcbox_table $argv[1])[2..-1]
        set -l parts (string split -m 3 ' ' -- $line)
        if test $parts[1] = :
            set -a forms $line
            test $parts[2] = -; or set -a commands (string split '|' -- $parts[2])
        else
            set -a names --$parts[2]
            set -a kinds $parts[3]
            set -a helps $parts[4]
            if test $parts[1] != -
                set -a names -$parts[1]
                set -a kinds $parts[3]
                set -a helps $parts[4]
            end
        end
    end
    set -l i (math $argv[2] + 1)
    while test $i -lt $count
        set -l word $words[$i]
        if test -n "$ended"; or not string match -q -- '-?*' $word
            test -z "$command"; and contains -- $word $commands; or break
            set command $word
            set i (math $i + 1)
            continue
        end
        set -l flags
        switch $word
            case --
                set ended 1
            case '--*=*'
                set -a given (string split -m 1 = -- $word)[1]
                string match -q -- '--sep=*' $word; and set separator (string split -m 1 = -- $word)[2]
            case '--*'
                set flags $word
            case '*'
                set flags -(string split '' -- (string sub -s 2 -- $word))
        end
        for at in (seq (count $flags))
            set -a given $flags[$at]
            set -l kind (__ipcbox_kind_of $flags[$at])
            if test -n "$kind"; and not string match -qr '^[-?]' -- $kind
                test $at -eq (count $flags); and set pending $kind
                break
            end
        end
        if test -n "$pending"
            set i (math $i + 1)
            test $i -lt $count; or break
            test $word = --sep; and set separator $words[$i]
            set pending
        end
        set i (math $i + 1)
    end
    set -l first $i
    if test -n "$pending"
        __ipcbox_kind $pending $current
    else if test $first -ge $count -a -z "$ended"; and string match -q -- '--*=*' $current
        set -l two (string split -m 1 = -- $current)
        __ipcbox_kind (string trim -l -c '?' -- (__ipcbox_kind_of $two[1])) $two[2] | __ipcbox_after $two[1]=
    else if test $first -ge $count -a -z "$ended"; and string match -q -- '-*' $current
        for at in (seq (count $names))
            printf '%s\t%s\n' $names[$at] $helps[$at]
        end
    else if test $argv[1] = ipcbox -a -z "$command" -a -z "$given" -a $first -lt $count
        __ipcbox_applet $words[$first] $first
    else
        test -z "$command" -a $first -ge $count; and string join \n -- $commands
        __ipcbox_operand
    end
end

function __ipcbox
    set -l words (commandline -opc) (commandline -ct)
    set -l current (commandline -ct)
    set -l count (count $words)
    set -l name (string replace -r '.*/' '' -- $words[1])
    # PREFIX-APPLET is the applet
    while string match -q -- '*-*' $name; and test -z "$(__ipcbox_table $name)"
        set name (string split -m 1 - -- $name)[2]
    end
    __ipcbox_applet $name 1
end

