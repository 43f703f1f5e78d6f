# bash completion for atectl, written by `atectl completions show bash`.

# Sets what may follow a command; what completes a value stands behind its option's =.
_atectl_grammar() {
    commands=() flags=() values=() arguments=() passes_on='' repeats=''
    case $1 in
    #@ commands
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
