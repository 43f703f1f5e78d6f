# bash completion for atectl, written by `atectl completions show bash`.

# Sets what may follow a command; what completes a value stands behind its option's =.
_atectl_grammar() {
    commands=() flags=() values=() arguments=() passes_on='' repeats=''
    case $1 in
    '')
        commands=(
            'run'
            'batch'
            'host'
            'load'
            'inspect'
            'budget'
            'ledger'
            'locks'
            'cache'
            'config'
            'completions'
            'man'
            'explain'
            'schema'
            'doctor'
            'top'
            'ps'
        )
        flags=('--version' '-V' '--help' '-h')
        ;;
    'run')
        flags=(
            '--inherit-env'
            '--lock-strict'
            '--live'
            '--no-live'
            '--quiet'
            '-q'
            '--raw-output'
            '--plain-output'
            '--cache'
            '--no-cache'
            '--help'
            '-h'
        )
        values=(
            '--max-mem=nothing'
            '-m=nothing'
            '--principal=candidates principal'
            '--deadline=nothing'
            '--fuel=nothing'
            '--max-stack=nothing'
            '--max-capsule=nothing'
            '--compile-mem=nothing'
            '--compile-deadline=nothing'
            '--max-instances=nothing'
            '--max-memories=nothing'
            '--max-reserved=nothing'
            '--dir=folders'
            '-v=folders'
            '--env=nothing'
            '-e=nothing'
            '--env-file=files'
            '--invoke=nothing'
            '--on-refused-growth=choices fail trap'
            '--max-output=nothing'
            '--max-fds=nothing'
            '--label=candidates label'
            '--profile=nothing'
            '--ledger=files'
            '--host-name=nothing'
            '--actor=nothing'
            '--lock-wait=nothing'
            '--lock-ttl=nothing'
            '--lock-prefix=nothing'
            '--redis=nothing'
            '--redis-password-file=files'
            '--redis-ca=files'
            '--redis-cert=files'
            '--redis-key=files'
            '--redis-server-name=nothing'
            '--redis-timeout=nothing'
            '--report=files'
        )
        arguments=('files' 'files')
        repeats=yes
        passes_on=yes
        ;;
    'batch')
        flags=(
            '--keep-going'
            '--fail-fast'
            '--tag'
            '--dry-run'
            '--live'
            '--no-live'
            '--quiet'
            '-q'
            '--cache'
            '--no-cache'
            '--insecure'
            '--help'
            '-h'
        )
        values=(
            '--jobs=nothing'
            '-j=nothing'
            '--limit=nothing'
            '--soft=nothing'
            '--resume=nothing'
            '--backpressure=choices both park spill none'
            '--policy=choices largest priority park-first none'
            '--spill-dir=folders'
            '--spill-cap=nothing'
            '--max-capsule=nothing'
            '--compile-mem=nothing'
            '--compile-deadline=nothing'
            '--max-instances=nothing'
            '--max-memories=nothing'
            '--max-reserved=nothing'
            '--pool=nothing'
            '--resume-from=files'
            '--max-output=nothing'
            '--isolate=choices none principal job'
            '--cells=nothing'
            '--max-fds=nothing'
            '--requeue=nothing'
            '--capture=nothing'
            '--retries=nothing'
            '--results=folders'
            '--grace=nothing'
            '--trace=files'
            '--chart=files'
            '--profile=nothing'
            '--ledger=files'
            '--host-name=nothing'
            '--output=choices table wide json'
            '-o=choices table wide json'
            '--on=nothing'
            '--host-ttl=nothing'
            '--tls-ca=files'
            '--tls-cert=files'
            '--tls-key=files'
        )
        arguments=('files')
        ;;
    'host')
        commands=('join' 'ls')
        flags=('--help' '-h')
        ;;
    'host join')
        flags=('--no-cache' '--insecure' '--quiet' '-q' '--help' '-h')
        values=(
            '--limit=nothing'
            '--soft=nothing'
            '--resume=nothing'
            '--backpressure=choices both park spill none'
            '--policy=choices largest priority park-first none'
            '--spill-dir=folders'
            '--spill-cap=nothing'
            '--jobs=nothing'
            '-j=nothing'
            '--share=nothing'
            '--max-capsule=nothing'
            '--compile-mem=nothing'
            '--compile-deadline=nothing'
            '--max-instances=nothing'
            '--max-memories=nothing'
            '--max-reserved=nothing'
            '--pool=nothing'
            '--max-output=nothing'
            '--isolate=choices none principal job'
            '--cells=nothing'
            '--max-fds=nothing'
            '--requeue=nothing'
            '--capture=nothing'
            '--grace=nothing'
            '--ledger=files'
            '--host-name=nothing'
            '--tls-ca=files'
            '--tls-cert=files'
            '--tls-key=files'
        )
        arguments=('nothing')
        ;;
    'host ls')
        flags=('--insecure' '--quiet' '-q' '--help' '-h')
        values=(
            '--on=nothing'
            '--tls-ca=files'
            '--tls-cert=files'
            '--tls-key=files'
            '--output=choices table wide json csv'
            '-o=choices table wide json csv'
        )
        ;;
    'load')
        flags=('--recursive' '-r' '--no-cache' '--quiet' '-q' '--help' '-h')
        values=(
            '--jobs=nothing'
            '-j=nothing'
            '--limit=nothing'
            '--max-capsule=nothing'
            '--compile-mem=nothing'
            '--compile-deadline=nothing'
            '--fits=nothing'
            '--budget=files'
            '--chart=files'
            '--baseline=choices naive'
            '--output=choices table wide json'
            '-o=choices table wide json'
        )
        arguments=('files')
        repeats=yes
        ;;
    'inspect')
        flags=('--help' '-h')
        values=('--output=choices table wide json' '-o=choices table wide json')
        arguments=('files')
        ;;
    'budget')
        commands=('init' 'check' 'plan' 'simulate')
        flags=('--help' '-h')
        ;;
    'budget init')
        flags=('--force' '--quiet' '-q' '--help' '-h')
        arguments=('files')
        ;;
    'budget check')
        flags=('--strict' '--quiet' '-q' '--help' '-h')
        values=(
            '--pid=nothing'
            '--baseline=nothing'
            '--ledger=files'
            '--limit=nothing'
            '--soft=nothing'
            '--resume=nothing'
            '--backpressure=choices both park spill none'
            '--policy=choices largest priority park-first none'
            '--spill-dir=folders'
            '--spill-cap=nothing'
            '--jobs=nothing'
            '-j=nothing'
            '--max-capsule=nothing'
            '--compile-mem=nothing'
            '--compile-deadline=nothing'
            '--output=choices table wide json'
            '-o=choices table wide json'
        )
        arguments=('files')
        ;;
    'budget plan')
        flags=('--force' '--ignore-refused' '--quiet' '-q' '--help' '-h')
        values=(
            '--ledger=files'
            '--headroom=nothing'
            '--write=files'
            '--diff=files'
            '--output=choices table wide json'
            '-o=choices table wide json'
        )
        ;;
    'budget simulate')
        flags=('--decisions' '--quiet' '-q' '--help' '-h')
        values=(
            '--policy=choices largest priority park-first none'
            '--backpressure=choices both park spill none'
            '--limit=nothing'
            '--chart=files'
            '--output=choices table wide json'
            '-o=choices table wide json'
        )
        arguments=('files')
        ;;
    'ledger')
        commands=(
            'ls'
            'ps'
            'show'
            'history'
            'top'
            'usage'
            'merge'
            'export'
            'report'
            'serve'
            'end'
            'reset'
        )
        flags=('--help' '-h')
        ;;
    'ledger ls')
        flags=('--watch' '-w' '--quiet' '-q' '--help' '-h')
        values=(
            '--ledger=files'
            '--output=choices table wide json csv'
            '-o=choices table wide json csv'
            '--sort=choices principal running memory quota used peak refused cpu gibs fuel capsule since'
            '--rows=nothing'
            '--host=nothing'
            '--principal=candidates principal'
            '--since=nothing'
            '--by=choices principal host capsule'
        )
        ;;
    'ledger ps')
        flags=('--watch' '-w' '--quiet' '-q' '--help' '-h')
        values=(
            '--ledger=files'
            '--output=choices table wide json'
            '-o=choices table wide json'
            '--sort=choices started principal memory peak refused cpu'
            '--rows=nothing'
            '--host=nothing'
            '--principal=candidates principal'
            '--label=candidates label'
            '--since=nothing'
        )
        ;;
    'ledger show')
        flags=('--quiet' '-q' '--help' '-h')
        values=(
            '--ledger=files'
            '--output=choices table wide json'
            '-o=choices table wide json'
            '--rows=nothing'
        )
        arguments=('candidates principal')
        ;;
    'ledger history')
        flags=('--quiet' '-q' '--help' '-h')
        values=(
            '--principal=candidates principal'
            '--ledger=files'
            '--output=choices table wide json csv'
            '-o=choices table wide json csv'
            '--rows=nothing'
            '--host=nothing'
            '--label=candidates label'
            '--since=nothing'
        )
        ;;
    'ledger top')
        flags=('--once' '--quiet' '-q' '--help' '-h')
        values=(
            '--ledger=files'
            '--interval=nothing'
            '-d=nothing'
            '-n=nothing'
            '--sort=choices principal running memory quota used peak refused cpu gibs fuel capsule since'
            '--rows=nothing'
            '--principal=candidates principal'
            '--host=nothing'
            '--by=choices principal host capsule'
        )
        ;;
    'ledger usage')
        flags=('--quiet' '-q' '--help' '-h')
        values=(
            '--period=nothing'
            '--by=choices principal host label'
            '--principal=candidates principal'
            '--ledger=files'
            '--output=choices table wide json csv'
            '-o=choices table wide json csv'
            '--rows=nothing'
        )
        ;;
    'ledger merge')
        flags=('--quiet' '-q' '--help' '-h')
        values=('--ledger=files')
        arguments=('files')
        repeats=yes
        ;;
    'ledger export')
        flags=('--quiet' '-q' '--help' '-h')
        values=(
            '--format=choices prometheus openmetrics json csv'
            '--per-principal=nothing'
            '--textfile=files'
            '--ledger=files'
        )
        ;;
    'ledger report')
        flags=('--quiet' '-q' '--help' '-h')
        values=('--svg=files' '--html=files' '--last=nothing' '--ledger=files')
        arguments=('candidates principals')
        repeats=yes
        ;;
    'ledger serve')
        flags=('--quiet' '-q' '--help' '-h')
        values=('--listen=folders' '--token-file=files' '--per-principal=nothing' '--ledger=files')
        ;;
    'ledger end')
        flags=('--quiet' '-q' '--help' '-h')
        values=('--ledger=files')
        arguments=('candidates lease')
        ;;
    'ledger reset')
        flags=('--all' '--yes' '-y' '--quiet' '-q' '--help' '-h')
        values=('--ledger=files')
        arguments=('candidates principal')
        ;;
    'locks')
        commands=('ls' 'show' 'release' 'hold' 'audit' 'acl' 'demo')
        flags=('--help' '-h')
        ;;
    'locks ls')
        flags=('--stale' '--watch' '-w' '--quiet' '-q' '--help' '-h')
        values=(
            '--probe=nothing'
            '--atespace=nothing'
            '--sort=choices actor atespace ttl age status verdict memory peak'
            '--rows=nothing'
            '--output=choices table wide json'
            '-o=choices table wide json'
            '--fail-on=choices stale renewing held finishing expiring stuck foreign stranded'
            '--lock-prefix=nothing'
            '--lock-ttl=nothing'
            '--ledger=files'
            '--redis=nothing'
            '--redis-password-file=files'
            '--redis-ca=files'
            '--redis-cert=files'
            '--redis-key=files'
            '--redis-server-name=nothing'
            '--redis-timeout=nothing'
        )
        arguments=('nothing')
        ;;
    'locks show')
        flags=('--quiet' '-q' '--help' '-h')
        values=(
            '--probe=nothing'
            '--output=choices table wide json'
            '-o=choices table wide json'
            '--lock-prefix=nothing'
            '--lock-ttl=nothing'
            '--ledger=files'
            '--redis=nothing'
            '--redis-password-file=files'
            '--redis-ca=files'
            '--redis-cert=files'
            '--redis-key=files'
            '--redis-server-name=nothing'
            '--redis-timeout=nothing'
        )
        arguments=('nothing')
        ;;
    'locks release')
        flags=('--wait' '--dry-run' '--force' '--yes' '-y' '--quiet' '-q' '--help' '-h')
        values=(
            '--token=nothing'
            '--probe=nothing'
            '--lock-prefix=nothing'
            '--lock-ttl=nothing'
            '--ledger=files'
            '--redis=nothing'
            '--redis-password-file=files'
            '--redis-ca=files'
            '--redis-cert=files'
            '--redis-key=files'
            '--redis-server-name=nothing'
            '--redis-timeout=nothing'
        )
        arguments=('nothing')
        ;;
    'locks hold')
        flags=('--lock-strict' '--pass-redis' '--quiet' '-q' '--help' '-h')
        values=(
            '--lock-ttl=nothing'
            '--deadline=nothing'
            '--lock-wait=nothing'
            '--principal=candidates principal'
            '--lock-prefix=nothing'
            '--redis=nothing'
            '--redis-password-file=files'
            '--redis-ca=files'
            '--redis-cert=files'
            '--redis-key=files'
            '--redis-server-name=nothing'
            '--redis-timeout=nothing'
        )
        arguments=('nothing' 'nothing')
        repeats=yes
        ;;
    'locks audit')
        flags=('--quiet' '-q' '--help' '-h')
        values=(
            '--output=choices table wide json'
            '-o=choices table wide json'
            '--rows=nothing'
            '--redis=nothing'
            '--redis-password-file=files'
            '--redis-ca=files'
            '--redis-cert=files'
            '--redis-key=files'
            '--redis-server-name=nothing'
            '--redis-timeout=nothing'
        )
        ;;
    'locks acl')
        flags=('--cluster' '--quiet' '-q' '--help' '-h')
        values=(
            '--lock-prefix=nothing'
            '--output=choices table wide json'
            '-o=choices table wide json'
        )
        ;;
    'locks demo')
        flags=('--remove' '--force' '--quiet' '-q' '--help' '-h')
        values=(
            '--redis=nothing'
            '--redis-password-file=files'
            '--redis-ca=files'
            '--redis-cert=files'
            '--redis-key=files'
            '--redis-server-name=nothing'
            '--redis-timeout=nothing'
        )
        ;;
    'cache')
        commands=('ls' 'prune' 'clear')
        flags=('--help' '-h')
        ;;
    'cache ls')
        flags=('--help' '-h')
        values=('--output=choices table wide json' '-o=choices table wide json')
        ;;
    'cache prune')
        flags=('--help' '-h')
        values=('--max-size=nothing')
        ;;
    'cache clear')
        flags=('--yes' '-y' '--help' '-h')
        ;;
    'config')
        commands=('show')
        flags=('--help' '-h')
        ;;
    'config show')
        flags=('--set' '--help' '-h')
        values=('--profile=nothing' '--output=choices table wide json' '-o=choices table wide json')
        ;;
    'completions')
        commands=('show' 'install' 'uninstall' 'check')
        flags=('--help' '-h')
        ;;
    'completions show')
        flags=('--help' '-h')
        arguments=('choices bash zsh fish')
        ;;
    'completions install')
        flags=('--help' '-h')
        arguments=('choices bash zsh fish')
        ;;
    'completions uninstall')
        flags=('--help' '-h')
        arguments=('choices bash zsh fish')
        ;;
    'completions check')
        flags=('--help' '-h')
        arguments=('folders')
        ;;
    'man')
        commands=('show' 'write' 'check')
        flags=('--help' '-h')
        ;;
    'man show')
        flags=('--help' '-h')
        arguments=('nothing')
        ;;
    'man write')
        flags=('--help' '-h')
        arguments=('folders')
        ;;
    'man check')
        flags=('--help' '-h')
        arguments=('folders')
        ;;
    'explain')
        flags=('--help' '-h')
        values=('--output=choices table wide json' '-o=choices table wide json')
        arguments=('candidates code')
        ;;
    'schema')
        flags=('--help' '-h')
        values=('--output=choices table wide json' '-o=choices table wide json')
        arguments=('candidates name')
        ;;
    'doctor')
        flags=('--help' '-h')
        values=('--output=choices table wide json' '-o=choices table wide json')
        ;;
    'top')
        flags=('--once' '--quiet' '-q' '--help' '-h')
        values=(
            '--ledger=files'
            '--interval=nothing'
            '-d=nothing'
            '-n=nothing'
            '--sort=choices principal running memory quota used peak refused cpu gibs fuel capsule since'
            '--rows=nothing'
            '--principal=candidates principal'
            '--host=nothing'
            '--by=choices principal host capsule'
        )
        ;;
    'ps')
        flags=('--watch' '-w' '--quiet' '-q' '--help' '-h')
        values=(
            '--ledger=files'
            '--output=choices table wide json'
            '-o=choices table wide json'
            '--sort=choices started principal memory peak refused cpu'
            '--rows=nothing'
            '--host=nothing'
            '--principal=candidates principal'
            '--label=candidates label'
            '--since=nothing'
        )
        ;;
    esac
}

# Joins what bash cut apart at =, : and @ into the words that atectl would see.
_atectl_words() {
    local piece line=$COMP_LINE unspaced
    words=()
    for piece in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        unspaced=${line#"${line%%[![:space:]]*}"}
        if [[ $line == "$unspaced" && ${#words[@]} -gt 0 ]]; then
            words[${#words[@]} - 1]+=$piece
        else
            words+=("$piece")
        fi
        line=${unspaced#"$piece"}
    done
}

# Sets `kind` to what completes the value of an option; fails if it takes none.
_atectl_takes_value() {
    local entry
    for entry in "${values[@]}"; do
        if [[ $entry == "$1="* ]]; then
            kind=${entry#*=}
            return 0
        fi
    done
    return 1
}

_atectl_is_one_of() {
    local word
    for word in "${@:2}"; do
        [[ $word == "$1" ]] && return 0
    done
    return 1
}

# Sets `plain` to a word without the quoting it was typed with.
_atectl_unquote() {
    case $1 in
    [\'\"]*)
        plain=${1:1}
        plain=${plain%"${1:0:1}"}
        ;;
    *) IFS= read plain <<<"$1" ;;
    esac
}

# Reads the words before the cursor: which command it is, how many arguments it has, whether
# options may still follow, and `kind` if the cursor is at the value of an option.
_atectl_read() {
    local word option
    _atectl_grammar ''
    for word in "$@"; do
        if [[ $kind ]]; then
            [[ $option == --ledger ]] && ledger=$word
            kind=''
        elif [[ $closed ]]; then
            place+=1
        elif [[ $word == -- ]]; then
            closed=yes
        elif _atectl_takes_value "$word"; then
            option=$word
        elif _atectl_is_one_of "$word" "${flags[@]}"; then
            :
        elif [[ $word == --*=* ]] && _atectl_takes_value "${word%%=*}"; then
            [[ $word == --ledger=* ]] && ledger=${word#*=}
            kind=''
        elif [[ $word == -?* && ! ($passes_on && $place -gt 0) ]]; then
            :
        elif _atectl_is_one_of "$word" "${commands[@]}"; then
            path+=${path:+ }$word
            _atectl_grammar "$path"
        else
            place+=1
            [[ $passes_on && ($place -gt 1 || $word == -?*) ]] && closed=yes
        fi
    done
}

# Asks atectl what the value of a parameter may be: what it finds is free text.
_atectl_ask() {
    local program=atectl mark='' plain place candidate
    [[ ${words[0]} == */* ]] && program=${words[0]/#\~\//$HOME/}
    [[ $value == [\'\"]* ]] && mark=${value:0:1}
    _atectl_unquote "$ledger"
    place=$plain
    _atectl_unquote "$value"
    while IFS= read -r candidate; do
        if [[ ! $mark ]]; then
            printf -v candidate %q "$candidate"
        elif [[ $candidate == *[\'\"\\\$\`!]* ]]; then
            continue
        fi
        COMPREPLY+=("$candidate")
    done < <("$program" completions candidates --ledger "$place" \
        -- "$path" "$1" "$plain" 2>/dev/null)
}

_atectl_offer() {
    case $kind in
    files) compopt -o default ;;
    folders) compopt -o dirnames ;;
    choices\ *) mapfile -t COMPREPLY < <(compgen -W "${kind#* }" -- "$value") ;;
    candidates\ *) _atectl_ask "${kind#* }" ;;
    esac
}

_atectl() {
    local IFS=$' \t\n'
    local -a words commands=() flags=() values=() arguments=()
    local passes_on='' repeats='' kind='' path='' closed='' ledger='' current value
    local -i place=0 last
    COMPREPLY=()
    _atectl_words
    last=${#words[@]}-1
    current=${words[last]}
    value=$current
    _atectl_read "${words[@]:1:last-1}"
    if [[ $kind ]]; then
        :
    elif [[ ! $closed && $current == --*=* ]] && _atectl_takes_value "${current%%=*}"; then
        value=${current#*=}
    elif [[ ! $closed && $current == -* ]]; then
        kind="choices ${flags[*]} ${values[*]%%=*}"
    elif [[ ${#commands[@]} -gt 0 ]]; then
        kind="choices ${commands[*]}"
    elif [[ $repeats && $place -ge ${#arguments[@]} ]]; then
        kind=${arguments[${#arguments[@]} - 1]}
    else
        kind=${arguments[place]-}
    fi
    _atectl_offer
    # Bash replaces only $2: what stands behind the last = or :, or from the last @ on.
    COMPREPLY=("${COMPREPLY[@]#"${value%"$2"}"}")
}

complete -F _atectl atectl
