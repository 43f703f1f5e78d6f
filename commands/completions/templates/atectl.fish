# fish completion for atectl, written by `atectl completions show fish`.

#@ words

# Whether the cursor is in a command, given by its words, and at its argument of that number,
# counted from 0. Behind the first argument, where a word is none of the options of a command
# that passes words on, the command is that one's with ` --` added.
function __atectl_at
    set -l path
    set -l place 0
    set -l words (commandline -opc)[2..-1]
    while set -q words[1]
        set -l word $words[1]
        set -l placed (string join ' ' -- $path $word)
        set -e words[1]
        if contains -- $placed $__atectl_commands
            set path $placed
        else if contains -- $placed $__atectl_valued
            set -e words[1]
        else if contains -- $placed $__atectl_flags
            or contains -- (string replace -r '=.*' '' -- $placed) $__atectl_valued
            continue
        else if test "$word" = --
            set place (math $place + (count $words))
            contains -- "$path" $__atectl_passing; and set path "$path --"
            break
        else if test $place -gt 0; and contains -- "$path" $__atectl_passing
            set path "$path --"
            break
        else if not string match -q -- '-*' $word
            set place (math $place + 1)
        end
    end
    test "$path" = "$argv[1]"; or return
    not set -q argv[2]; or test $place -eq $argv[2]
end

# The folders that the word at the cursor may become, behind its option and = if it has them.
function __atectl_folders
    __fish_complete_directories (string replace -r '^--[^=]*=' '' -- (commandline -ct)) ''
end

# Asks atectl what the value of a parameter may be.
function __atectl_ask
    set -l words (commandline -opc)
    set -l ledger
    for i in (seq (count $words))
        switch $words[$i]
            case --ledger
                set ledger $words[(math $i + 1)]
            case '--ledger=*'
                set ledger (string replace -- --ledger= '' $words[$i])
        end
    end
    set -l program (string replace -r '^~/' $HOME/ -- $words[1])
    $program completions candidates --ledger "$ledger" -- $argv '' 2>/dev/null
end

complete -c atectl -f
#@ commands
