# fish completion for atectl, written by `atectl completions show fish`.

set -g __atectl_commands \
    'run' \
    'batch' \
    'host' \
    'host join' \
    'host ls' \
    'load' \
    'inspect' \
    'budget' \
    'budget init' \
    'budget check' \
    'budget plan' \
    'budget simulate' \
    'ledger' \
    'ledger ls' \
    'ledger ps' \
    'ledger show' \
    'ledger history' \
    'ledger top' \
    'ledger usage' \
    'ledger merge' \
    'ledger export' \
    'ledger report' \
    'ledger serve' \
    'ledger end' \
    'ledger reset' \
    'locks' \
    'locks ls' \
    'locks show' \
    'locks release' \
    'locks hold' \
    'locks audit' \
    'locks acl' \
    'locks demo' \
    'cache' \
    'cache ls' \
    'cache prune' \
    'cache clear' \
    'config' \
    'config show' \
    'completions' \
    'completions show' \
    'completions install' \
    'completions uninstall' \
    'completions check' \
    'man' \
    'man show' \
    'man write' \
    'man check' \
    'explain' \
    'schema' \
    'doctor' \
    'top' \
    'ps'
set -g __atectl_passing \
    'run'
set -g __atectl_valued \
    'run --max-mem' \
    'run -m' \
    'run --principal' \
    'run --deadline' \
    'run --fuel' \
    'run --max-stack' \
    'run --max-capsule' \
    'run --compile-mem' \
    'run --compile-deadline' \
    'run --max-instances' \
    'run --max-memories' \
    'run --max-reserved' \
    'run --dir' \
    'run -v' \
    'run --env' \
    'run -e' \
    'run --env-file' \
    'run --invoke' \
    'run --on-refused-growth' \
    'run --max-output' \
    'run --max-fds' \
    'run --label' \
    'run --profile' \
    'run --ledger' \
    'run --host-name' \
    'run --actor' \
    'run --lock-wait' \
    'run --lock-ttl' \
    'run --lock-prefix' \
    'run --redis' \
    'run --redis-password-file' \
    'run --redis-ca' \
    'run --redis-cert' \
    'run --redis-key' \
    'run --redis-server-name' \
    'run --redis-timeout' \
    'run --report' \
    'batch --jobs' \
    'batch -j' \
    'batch --limit' \
    'batch --soft' \
    'batch --resume' \
    'batch --backpressure' \
    'batch --policy' \
    'batch --spill-dir' \
    'batch --spill-cap' \
    'batch --max-capsule' \
    'batch --compile-mem' \
    'batch --compile-deadline' \
    'batch --max-instances' \
    'batch --max-memories' \
    'batch --max-reserved' \
    'batch --pool' \
    'batch --resume-from' \
    'batch --max-output' \
    'batch --isolate' \
    'batch --cells' \
    'batch --max-fds' \
    'batch --requeue' \
    'batch --capture' \
    'batch --retries' \
    'batch --results' \
    'batch --grace' \
    'batch --trace' \
    'batch --chart' \
    'batch --profile' \
    'batch --ledger' \
    'batch --host-name' \
    'batch --output' \
    'batch -o' \
    'batch --on' \
    'batch --host-ttl' \
    'batch --tls-ca' \
    'batch --tls-cert' \
    'batch --tls-key' \
    'host join --limit' \
    'host join --soft' \
    'host join --resume' \
    'host join --backpressure' \
    'host join --policy' \
    'host join --spill-dir' \
    'host join --spill-cap' \
    'host join --jobs' \
    'host join -j' \
    'host join --share' \
    'host join --max-capsule' \
    'host join --compile-mem' \
    'host join --compile-deadline' \
    'host join --max-instances' \
    'host join --max-memories' \
    'host join --max-reserved' \
    'host join --pool' \
    'host join --max-output' \
    'host join --isolate' \
    'host join --cells' \
    'host join --max-fds' \
    'host join --requeue' \
    'host join --capture' \
    'host join --grace' \
    'host join --ledger' \
    'host join --host-name' \
    'host join --tls-ca' \
    'host join --tls-cert' \
    'host join --tls-key' \
    'host ls --on' \
    'host ls --tls-ca' \
    'host ls --tls-cert' \
    'host ls --tls-key' \
    'host ls --output' \
    'host ls -o' \
    'load --jobs' \
    'load -j' \
    'load --limit' \
    'load --max-capsule' \
    'load --compile-mem' \
    'load --compile-deadline' \
    'load --fits' \
    'load --budget' \
    'load --chart' \
    'load --baseline' \
    'load --output' \
    'load -o' \
    'inspect --output' \
    'inspect -o' \
    'budget check --pid' \
    'budget check --baseline' \
    'budget check --ledger' \
    'budget check --limit' \
    'budget check --soft' \
    'budget check --resume' \
    'budget check --backpressure' \
    'budget check --policy' \
    'budget check --spill-dir' \
    'budget check --spill-cap' \
    'budget check --jobs' \
    'budget check -j' \
    'budget check --max-capsule' \
    'budget check --compile-mem' \
    'budget check --compile-deadline' \
    'budget check --output' \
    'budget check -o' \
    'budget plan --ledger' \
    'budget plan --headroom' \
    'budget plan --write' \
    'budget plan --diff' \
    'budget plan --output' \
    'budget plan -o' \
    'budget simulate --policy' \
    'budget simulate --backpressure' \
    'budget simulate --limit' \
    'budget simulate --chart' \
    'budget simulate --output' \
    'budget simulate -o' \
    'ledger ls --ledger' \
    'ledger ls --output' \
    'ledger ls -o' \
    'ledger ls --sort' \
    'ledger ls --rows' \
    'ledger ls --host' \
    'ledger ls --principal' \
    'ledger ls --since' \
    'ledger ls --by' \
    'ledger ps --ledger' \
    'ledger ps --output' \
    'ledger ps -o' \
    'ledger ps --sort' \
    'ledger ps --rows' \
    'ledger ps --host' \
    'ledger ps --principal' \
    'ledger ps --label' \
    'ledger ps --since' \
    'ledger show --ledger' \
    'ledger show --output' \
    'ledger show -o' \
    'ledger show --rows' \
    'ledger history --principal' \
    'ledger history --ledger' \
    'ledger history --output' \
    'ledger history -o' \
    'ledger history --rows' \
    'ledger history --host' \
    'ledger history --label' \
    'ledger history --since' \
    'ledger top --ledger' \
    'ledger top --interval' \
    'ledger top -d' \
    'ledger top -n' \
    'ledger top --sort' \
    'ledger top --rows' \
    'ledger top --principal' \
    'ledger top --host' \
    'ledger top --by' \
    'ledger usage --period' \
    'ledger usage --by' \
    'ledger usage --principal' \
    'ledger usage --ledger' \
    'ledger usage --output' \
    'ledger usage -o' \
    'ledger usage --rows' \
    'ledger merge --ledger' \
    'ledger export --format' \
    'ledger export --per-principal' \
    'ledger export --textfile' \
    'ledger export --ledger' \
    'ledger report --svg' \
    'ledger report --html' \
    'ledger report --last' \
    'ledger report --ledger' \
    'ledger serve --listen' \
    'ledger serve --token-file' \
    'ledger serve --per-principal' \
    'ledger serve --ledger' \
    'ledger end --ledger' \
    'ledger reset --ledger' \
    'locks ls --probe' \
    'locks ls --atespace' \
    'locks ls --sort' \
    'locks ls --rows' \
    'locks ls --output' \
    'locks ls -o' \
    'locks ls --fail-on' \
    'locks ls --lock-prefix' \
    'locks ls --lock-ttl' \
    'locks ls --ledger' \
    'locks ls --redis' \
    'locks ls --redis-password-file' \
    'locks ls --redis-ca' \
    'locks ls --redis-cert' \
    'locks ls --redis-key' \
    'locks ls --redis-server-name' \
    'locks ls --redis-timeout' \
    'locks show --probe' \
    'locks show --output' \
    'locks show -o' \
    'locks show --lock-prefix' \
    'locks show --lock-ttl' \
    'locks show --ledger' \
    'locks show --redis' \
    'locks show --redis-password-file' \
    'locks show --redis-ca' \
    'locks show --redis-cert' \
    'locks show --redis-key' \
    'locks show --redis-server-name' \
    'locks show --redis-timeout' \
    'locks release --token' \
    'locks release --probe' \
    'locks release --lock-prefix' \
    'locks release --lock-ttl' \
    'locks release --ledger' \
    'locks release --redis' \
    'locks release --redis-password-file' \
    'locks release --redis-ca' \
    'locks release --redis-cert' \
    'locks release --redis-key' \
    'locks release --redis-server-name' \
    'locks release --redis-timeout' \
    'locks hold --lock-ttl' \
    'locks hold --deadline' \
    'locks hold --lock-wait' \
    'locks hold --principal' \
    'locks hold --lock-prefix' \
    'locks hold --redis' \
    'locks hold --redis-password-file' \
    'locks hold --redis-ca' \
    'locks hold --redis-cert' \
    'locks hold --redis-key' \
    'locks hold --redis-server-name' \
    'locks hold --redis-timeout' \
    'locks audit --output' \
    'locks audit -o' \
    'locks audit --rows' \
    'locks audit --redis' \
    'locks audit --redis-password-file' \
    'locks audit --redis-ca' \
    'locks audit --redis-cert' \
    'locks audit --redis-key' \
    'locks audit --redis-server-name' \
    'locks audit --redis-timeout' \
    'locks acl --lock-prefix' \
    'locks acl --output' \
    'locks acl -o' \
    'locks demo --redis' \
    'locks demo --redis-password-file' \
    'locks demo --redis-ca' \
    'locks demo --redis-cert' \
    'locks demo --redis-key' \
    'locks demo --redis-server-name' \
    'locks demo --redis-timeout' \
    'cache ls --output' \
    'cache ls -o' \
    'cache prune --max-size' \
    'config show --profile' \
    'config show --output' \
    'config show -o' \
    'explain --output' \
    'explain -o' \
    'schema --output' \
    'schema -o' \
    'doctor --output' \
    'doctor -o' \
    'top --ledger' \
    'top --interval' \
    'top -d' \
    'top -n' \
    'top --sort' \
    'top --rows' \
    'top --principal' \
    'top --host' \
    'top --by' \
    'ps --ledger' \
    'ps --output' \
    'ps -o' \
    'ps --sort' \
    'ps --rows' \
    'ps --host' \
    'ps --principal' \
    'ps --label' \
    'ps --since'
set -g __atectl_flags \
    '--version' \
    '-V' \
    '--help' \
    '-h' \
    'run --inherit-env' \
    'run --lock-strict' \
    'run --live' \
    'run --no-live' \
    'run --quiet' \
    'run -q' \
    'run --raw-output' \
    'run --plain-output' \
    'run --cache' \
    'run --no-cache' \
    'run --help' \
    'run -h' \
    'batch --keep-going' \
    'batch --fail-fast' \
    'batch --tag' \
    'batch --dry-run' \
    'batch --live' \
    'batch --no-live' \
    'batch --quiet' \
    'batch -q' \
    'batch --cache' \
    'batch --no-cache' \
    'batch --insecure' \
    'batch --help' \
    'batch -h' \
    'host --help' \
    'host -h' \
    'host join --no-cache' \
    'host join --insecure' \
    'host join --quiet' \
    'host join -q' \
    'host join --help' \
    'host join -h' \
    'host ls --insecure' \
    'host ls --quiet' \
    'host ls -q' \
    'host ls --help' \
    'host ls -h' \
    'load --recursive' \
    'load -r' \
    'load --no-cache' \
    'load --quiet' \
    'load -q' \
    'load --help' \
    'load -h' \
    'inspect --help' \
    'inspect -h' \
    'budget --help' \
    'budget -h' \
    'budget init --force' \
    'budget init --quiet' \
    'budget init -q' \
    'budget init --help' \
    'budget init -h' \
    'budget check --strict' \
    'budget check --quiet' \
    'budget check -q' \
    'budget check --help' \
    'budget check -h' \
    'budget plan --force' \
    'budget plan --ignore-refused' \
    'budget plan --quiet' \
    'budget plan -q' \
    'budget plan --help' \
    'budget plan -h' \
    'budget simulate --decisions' \
    'budget simulate --quiet' \
    'budget simulate -q' \
    'budget simulate --help' \
    'budget simulate -h' \
    'ledger --help' \
    'ledger -h' \
    'ledger ls --watch' \
    'ledger ls -w' \
    'ledger ls --quiet' \
    'ledger ls -q' \
    'ledger ls --help' \
    'ledger ls -h' \
    'ledger ps --watch' \
    'ledger ps -w' \
    'ledger ps --quiet' \
    'ledger ps -q' \
    'ledger ps --help' \
    'ledger ps -h' \
    'ledger show --quiet' \
    'ledger show -q' \
    'ledger show --help' \
    'ledger show -h' \
    'ledger history --quiet' \
    'ledger history -q' \
    'ledger history --help' \
    'ledger history -h' \
    'ledger top --once' \
    'ledger top --quiet' \
    'ledger top -q' \
    'ledger top --help' \
    'ledger top -h' \
    'ledger usage --quiet' \
    'ledger usage -q' \
    'ledger usage --help' \
    'ledger usage -h' \
    'ledger merge --quiet' \
    'ledger merge -q' \
    'ledger merge --help' \
    'ledger merge -h' \
    'ledger export --quiet' \
    'ledger export -q' \
    'ledger export --help' \
    'ledger export -h' \
    'ledger report --quiet' \
    'ledger report -q' \
    'ledger report --help' \
    'ledger report -h' \
    'ledger serve --quiet' \
    'ledger serve -q' \
    'ledger serve --help' \
    'ledger serve -h' \
    'ledger end --quiet' \
    'ledger end -q' \
    'ledger end --help' \
    'ledger end -h' \
    'ledger reset --all' \
    'ledger reset --yes' \
    'ledger reset -y' \
    'ledger reset --quiet' \
    'ledger reset -q' \
    'ledger reset --help' \
    'ledger reset -h' \
    'locks --help' \
    'locks -h' \
    'locks ls --stale' \
    'locks ls --watch' \
    'locks ls -w' \
    'locks ls --quiet' \
    'locks ls -q' \
    'locks ls --help' \
    'locks ls -h' \
    'locks show --quiet' \
    'locks show -q' \
    'locks show --help' \
    'locks show -h' \
    'locks release --wait' \
    'locks release --dry-run' \
    'locks release --force' \
    'locks release --yes' \
    'locks release -y' \
    'locks release --quiet' \
    'locks release -q' \
    'locks release --help' \
    'locks release -h' \
    'locks hold --lock-strict' \
    'locks hold --pass-redis' \
    'locks hold --quiet' \
    'locks hold -q' \
    'locks hold --help' \
    'locks hold -h' \
    'locks audit --quiet' \
    'locks audit -q' \
    'locks audit --help' \
    'locks audit -h' \
    'locks acl --cluster' \
    'locks acl --quiet' \
    'locks acl -q' \
    'locks acl --help' \
    'locks acl -h' \
    'locks demo --remove' \
    'locks demo --force' \
    'locks demo --quiet' \
    'locks demo -q' \
    'locks demo --help' \
    'locks demo -h' \
    'cache --help' \
    'cache -h' \
    'cache ls --help' \
    'cache ls -h' \
    'cache prune --help' \
    'cache prune -h' \
    'cache clear --yes' \
    'cache clear -y' \
    'cache clear --help' \
    'cache clear -h' \
    'config --help' \
    'config -h' \
    'config show --set' \
    'config show --help' \
    'config show -h' \
    'completions --help' \
    'completions -h' \
    'completions show --help' \
    'completions show -h' \
    'completions install --help' \
    'completions install -h' \
    'completions uninstall --help' \
    'completions uninstall -h' \
    'completions check --help' \
    'completions check -h' \
    'man --help' \
    'man -h' \
    'man show --help' \
    'man show -h' \
    'man write --help' \
    'man write -h' \
    'man check --help' \
    'man check -h' \
    'explain --help' \
    'explain -h' \
    'schema --help' \
    'schema -h' \
    'doctor --help' \
    'doctor -h' \
    'top --once' \
    'top --quiet' \
    'top -q' \
    'top --help' \
    'top -h' \
    'ps --watch' \
    'ps -w' \
    'ps --quiet' \
    'ps -q' \
    'ps --help' \
    'ps -h'

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

complete -c atectl -n '__atectl_at "" 0' -a run -d 'Run a capsule under a quota, charged to a principal'
complete -c atectl -n '__atectl_at "" 0' -a batch -d 'Run many capsules under one limit'
complete -c atectl -n '__atectl_at "" 0' -a host -d 'Run jobs of batches from other machines, and see which hosts do'
complete -c atectl -n '__atectl_at "" 0' -a load -d 'Load capsules, run none'
complete -c atectl -n '__atectl_at "" 0' -a inspect -d 'Show what is in a capsule, and what it needs to run'
complete -c atectl -n '__atectl_at "" 0' -a budget -d 'Check, plan and simulate what a whole host may use'
complete -c atectl -n '__atectl_at "" 0' -a ledger -d 'Show and reset the ledger of memory use'
complete -c atectl -n '__atectl_at "" 0' -a locks -d 'Show, judge, release and hold actor locks'
complete -c atectl -n '__atectl_at "" 0' -a cache -d 'Manage the compiled capsules, which make a second run start at once'
complete -c atectl -n '__atectl_at "" 0' -a config -d 'Show the settings, and where each comes from'
complete -c atectl -n '__atectl_at "" 0' -a completions -d 'Complete commands with TAB in bash, zsh and fish'
complete -c atectl -n '__atectl_at "" 0' -a man -d 'Print or check the manual pages, one for each command or group'
complete -c atectl -n '__atectl_at "" 0' -a explain -d 'Explain an error code, or list them all'
complete -c atectl -n '__atectl_at "" 0' -a schema -d 'Print the JSON Schema of a document, or list the documents'
complete -c atectl -n '__atectl_at "" 0' -a doctor -d 'Check the installation, the cache, the ledger, the engine and the machine'
complete -c atectl -n '__atectl_at "" 0' -a top -d 'Watch accounts and running leases live'
complete -c atectl -n '__atectl_at "" 0' -a ps -d 'List the unfinished leases'
complete -c atectl -n '__atectl_at ""' -l version -s V -d 'Show the version'
complete -c atectl -n '__atectl_at ""' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "run"' -l max-mem -s m -r -f -d 'Maximum size of all the guest\'s memories together'
complete -c atectl -n '__atectl_at "run"' -l principal -r -f -a '(__atectl_ask "run" principal)' -d 'Who is charged'
complete -c atectl -n '__atectl_at "run"' -l deadline -r -f -d 'Maximum run time'
complete -c atectl -n '__atectl_at "run"' -l fuel -r -f -d 'Maximum fuel, the engine\'s unit of work'
complete -c atectl -n '__atectl_at "run"' -l max-stack -r -f -d 'Maximum call stack'
complete -c atectl -n '__atectl_at "run"' -l max-capsule -r -f -d 'Largest capsule that is taken'
complete -c atectl -n '__atectl_at "run"' -l compile-mem -r -f -d 'Most memory to compile a capsule'
complete -c atectl -n '__atectl_at "run"' -l compile-deadline -r -f -d 'Longest time to compile a capsule'
complete -c atectl -n '__atectl_at "run"' -l max-instances -r -f -d 'Most instances of modules and components in one capsule'
complete -c atectl -n '__atectl_at "run"' -l max-memories -r -f -d 'Most memories of all instances of a capsule together'
complete -c atectl -n '__atectl_at "run"' -l max-reserved -r -f -d 'Most address space that its memories reserve, 4GiB each and more'
complete -c atectl -n '__atectl_at "run"' -l dir -s v -r -f -a '(__atectl_folders)' -d 'Let the guest use a folder'
complete -c atectl -n '__atectl_at "run"' -l env -s e -r -f -d 'Set a variable for the guest, or pass it on'
complete -c atectl -n '__atectl_at "run"' -l env-file -r -F -d 'Set the variables in a file, one K=V or K a line'
complete -c atectl -n '__atectl_at "run"' -l inherit-env -d 'Pass on all variables, but those of atectl itself'
complete -c atectl -n '__atectl_at "run"' -l invoke -r -f -d 'Call this export'
complete -c atectl -n '__atectl_at "run"' -l on-refused-growth -r -f -a 'fail trap' -d 'Let a memory\'s growth fail, or end the guest'
complete -c atectl -n '__atectl_at "run"' -l max-output -r -f -d 'Most that the guest may write to stdout and stderr'
complete -c atectl -n '__atectl_at "run"' -l max-fds -r -f -d 'Most descriptors that the guest may have open'
complete -c atectl -n '__atectl_at "run"' -l label -r -f -a '(__atectl_ask "run" label)' -d 'A note kept with the lease in the ledger'
complete -c atectl -n '__atectl_at "run"' -l profile -r -f -d 'Take the options of this profile in atectl.toml'
complete -c atectl -n '__atectl_at "run"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "run"' -l host-name -r -f -d 'What the ledger calls this host'
complete -c atectl -n '__atectl_at "run"' -l actor -r -f -d 'Hold this actor\'s lock in Redis for as long as it runs'
complete -c atectl -n '__atectl_at "run"' -l lock-wait -r -f -d 'How long to wait for a lock that is held, or a server that does not answer'
complete -c atectl -n '__atectl_at "run"' -l lock-strict -d 'Refuse to begin while a lock with an older or newer form of the key is held'
complete -c atectl -n '__atectl_at "run"' -l lock-ttl -r -f -d 'How long after atectl dies the lock expires'
complete -c atectl -n '__atectl_at "run"' -l lock-prefix -r -f -d 'What the keys of actor locks begin with'
complete -c atectl -n '__atectl_at "run"' -l redis -r -f -d 'redis://, rediss:// (TLS) or unix:// URL of a server, nodes of a cluster or Sentinels (?master=NAME)'
complete -c atectl -n '__atectl_at "run"' -l redis-password-file -r -F -d 'File with the password, used instead of one in the URL'
complete -c atectl -n '__atectl_at "run"' -l redis-ca -r -F -d 'Trust these certificate authorities (PEM) instead of the system\'s'
complete -c atectl -n '__atectl_at "run"' -l redis-cert -r -F -d 'The client certificate (PEM)'
complete -c atectl -n '__atectl_at "run"' -l redis-key -r -F -d 'The key of the client certificate (PEM), if it is in another file'
complete -c atectl -n '__atectl_at "run"' -l redis-server-name -r -f -d 'The name that every server\'s certificate has to be for, whatever its host'
complete -c atectl -n '__atectl_at "run"' -l redis-timeout -r -f -d 'How long to wait for a connection, and for each answer'
complete -c atectl -n '__atectl_at "run"' -l live -d 'Show the live table'
complete -c atectl -n '__atectl_at "run"' -l no-live -d 'Not --live'
complete -c atectl -n '__atectl_at "run"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "run"' -l report -r -F -d 'Write a JSON report'
complete -c atectl -n '__atectl_at "run"' -l raw-output -d 'Pass on all terminal controls of the guest, or none'
complete -c atectl -n '__atectl_at "run"' -l plain-output -d 'Not --raw-output'
complete -c atectl -n '__atectl_at "run"' -l cache -d 'Keep compiled capsules'
complete -c atectl -n '__atectl_at "run"' -l no-cache -d 'Not --cache'
complete -c atectl -n '__atectl_at "run"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "run" 0' -F
complete -c atectl -n '__atectl_at "run"' -F
complete -c atectl -n '__atectl_at "run --"' -F

complete -c atectl -n '__atectl_at "batch"' -l jobs -s j -r -f -d 'How many jobs run at once'
complete -c atectl -n '__atectl_at "batch"' -l limit -r -f -d 'Most memory of all processes of the host together'
complete -c atectl -n '__atectl_at "batch"' -l soft -r -f -d 'Share of the limit from which leases are held back'
complete -c atectl -n '__atectl_at "batch"' -l resume -r -f -d 'Share of the limit below which they go on'
complete -c atectl -n '__atectl_at "batch"' -l backpressure -r -f -a 'both park spill none' -d 'What is done to leases above soft'
complete -c atectl -n '__atectl_at "batch"' -l policy -r -f -a 'largest priority park-first none' -d 'The policy that chooses these leases'
complete -c atectl -n '__atectl_at "batch"' -l spill-dir -r -f -a '(__atectl_folders)' -d 'Where memory is spilled, on a real disk'
complete -c atectl -n '__atectl_at "batch"' -l spill-cap -r -f -d 'Most to spill'
complete -c atectl -n '__atectl_at "batch"' -l max-capsule -r -f -d 'Largest capsule that is taken'
complete -c atectl -n '__atectl_at "batch"' -l compile-mem -r -f -d 'Most memory to compile a capsule'
complete -c atectl -n '__atectl_at "batch"' -l compile-deadline -r -f -d 'Longest time to compile a capsule'
complete -c atectl -n '__atectl_at "batch"' -l max-instances -r -f -d 'Most instances of modules and components in one capsule'
complete -c atectl -n '__atectl_at "batch"' -l max-memories -r -f -d 'Most memories of all instances of a capsule together'
complete -c atectl -n '__atectl_at "batch"' -l max-reserved -r -f -d 'Most address space that its memories reserve, 4GiB each and more'
complete -c atectl -n '__atectl_at "batch"' -l pool -r -f -d 'How many idle instances are kept for each reactor and principal'
complete -c atectl -n '__atectl_at "batch"' -l keep-going -d 'Start more jobs after a failure'
complete -c atectl -n '__atectl_at "batch"' -l fail-fast -d 'Not --keep-going'
complete -c atectl -n '__atectl_at "batch"' -l resume-from -r -F -d 'Skip jobs that succeeded in these results'
complete -c atectl -n '__atectl_at "batch"' -l max-output -r -f -d 'Most that a job may write to files, by its stdout and stderr'
complete -c atectl -n '__atectl_at "batch"' -l isolate -r -f -a 'none principal job' -d 'Which jobs never share a process'
complete -c atectl -n '__atectl_at "batch"' -l cells -r -f -d 'Most processes for isolated jobs that are alive at once'
complete -c atectl -n '__atectl_at "batch"' -l max-fds -r -f -d 'Most descriptors of a process for isolated jobs'
complete -c atectl -n '__atectl_at "batch"' -l requeue -r -f -d 'How often a job is run again that was ended for want of memory, and would fit alone'
complete -c atectl -n '__atectl_at "batch"' -l capture -r -f -d 'Keep the last SIZE that each job writes to stdout and to stderr, in its result'
complete -c atectl -n '__atectl_at "batch"' -l retries -r -f -d 'How often a job is run again that fails'
complete -c atectl -n '__atectl_at "batch"' -l results -r -f -a '(__atectl_folders)' -d 'Write each result to a file of this folder, too'
complete -c atectl -n '__atectl_at "batch"' -l tag -d 'Print what jobs write in place of results, each line behind its job\'s label'
complete -c atectl -n '__atectl_at "batch"' -l dry-run -d 'Read and check the jobs, and list them'
complete -c atectl -n '__atectl_at "batch"' -l grace -r -f -d 'Time to finish when terminated'
complete -c atectl -n '__atectl_at "batch"' -l trace -r -F -d 'Record events and decisions'
complete -c atectl -n '__atectl_at "batch"' -l chart -r -F -d 'Draw memory over time as SVG'
complete -c atectl -n '__atectl_at "batch"' -l profile -r -f -d 'Take the options of this profile in atectl.toml'
complete -c atectl -n '__atectl_at "batch"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "batch"' -l host-name -r -f -d 'What the ledger calls this host'
complete -c atectl -n '__atectl_at "batch"' -l live -d 'Show the live table'
complete -c atectl -n '__atectl_at "batch"' -l no-live -d 'Not --live'
complete -c atectl -n '__atectl_at "batch"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "batch"' -l cache -d 'Keep compiled capsules'
complete -c atectl -n '__atectl_at "batch"' -l no-cache -d 'Not --cache'
complete -c atectl -n '__atectl_at "batch"' -l output -s o -r -f -a 'table wide json' -d 'Lines of JSON, or a table'
complete -c atectl -n '__atectl_at "batch"' -l on -r -f -d 'Run it on the hosts of this Dask scheduler'
complete -c atectl -n '__atectl_at "batch"' -l host-ttl -r -f -d 'How long a host may be silent until its jobs run elsewhere'
complete -c atectl -n '__atectl_at "batch"' -l tls-ca -r -F -d 'Trust these certificate authorities (PEM)'
complete -c atectl -n '__atectl_at "batch"' -l tls-cert -r -F -d 'The certificate of this side (PEM)'
complete -c atectl -n '__atectl_at "batch"' -l tls-key -r -F -d 'The key of this certificate (PEM)'
complete -c atectl -n '__atectl_at "batch"' -l insecure -d 'Allow a scheduler on another machine without TLS'
complete -c atectl -n '__atectl_at "batch"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "batch" 0' -F

complete -c atectl -n '__atectl_at "host" 0' -a join -d 'Run jobs that `atectl batch --on` submits, until told to end'
complete -c atectl -n '__atectl_at "host" 0' -a ls -d 'List the hosts of a scheduler, and how they fare'
complete -c atectl -n '__atectl_at "host"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "host join"' -l limit -r -f -d 'Most memory of all processes of the host together'
complete -c atectl -n '__atectl_at "host join"' -l soft -r -f -d 'Share of the limit from which leases are held back'
complete -c atectl -n '__atectl_at "host join"' -l resume -r -f -d 'Share of the limit below which they go on'
complete -c atectl -n '__atectl_at "host join"' -l backpressure -r -f -a 'both park spill none' -d 'What is done to leases above soft'
complete -c atectl -n '__atectl_at "host join"' -l policy -r -f -a 'largest priority park-first none' -d 'The policy that chooses these leases'
complete -c atectl -n '__atectl_at "host join"' -l spill-dir -r -f -a '(__atectl_folders)' -d 'Where memory is spilled, on a real disk'
complete -c atectl -n '__atectl_at "host join"' -l spill-cap -r -f -d 'Most to spill'
complete -c atectl -n '__atectl_at "host join"' -l jobs -s j -r -f -d 'How many jobs run at once'
complete -c atectl -n '__atectl_at "host join"' -l share -r -f -d 'Let jobs name files below it'
complete -c atectl -n '__atectl_at "host join"' -l max-capsule -r -f -d 'Largest capsule that is taken'
complete -c atectl -n '__atectl_at "host join"' -l compile-mem -r -f -d 'Most memory to compile a capsule'
complete -c atectl -n '__atectl_at "host join"' -l compile-deadline -r -f -d 'Longest time to compile a capsule'
complete -c atectl -n '__atectl_at "host join"' -l max-instances -r -f -d 'Most instances of modules and components in one capsule'
complete -c atectl -n '__atectl_at "host join"' -l max-memories -r -f -d 'Most memories of all instances of a capsule together'
complete -c atectl -n '__atectl_at "host join"' -l max-reserved -r -f -d 'Most address space that its memories reserve, 4GiB each and more'
complete -c atectl -n '__atectl_at "host join"' -l pool -r -f -d 'How many idle instances are kept for each reactor and principal'
complete -c atectl -n '__atectl_at "host join"' -l max-output -r -f -d 'Most that a job may write to files, by its stdout and stderr'
complete -c atectl -n '__atectl_at "host join"' -l isolate -r -f -a 'none principal job' -d 'Which jobs never share a process'
complete -c atectl -n '__atectl_at "host join"' -l cells -r -f -d 'Most processes for isolated jobs that are alive at once'
complete -c atectl -n '__atectl_at "host join"' -l max-fds -r -f -d 'Most descriptors of a process for isolated jobs'
complete -c atectl -n '__atectl_at "host join"' -l requeue -r -f -d 'How often a job is run again that was ended for want of memory, and would fit alone'
complete -c atectl -n '__atectl_at "host join"' -l capture -r -f -d 'Keep the last SIZE that each job writes to stdout and to stderr, in its result'
complete -c atectl -n '__atectl_at "host join"' -l grace -r -f -d 'Time to finish when terminated'
complete -c atectl -n '__atectl_at "host join"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "host join"' -l host-name -r -f -d 'What the ledger calls this host'
complete -c atectl -n '__atectl_at "host join"' -l no-cache -d 'Keep no compiled capsules'
complete -c atectl -n '__atectl_at "host join"' -l tls-ca -r -F -d 'Trust these certificate authorities (PEM)'
complete -c atectl -n '__atectl_at "host join"' -l tls-cert -r -F -d 'The certificate of this side (PEM)'
complete -c atectl -n '__atectl_at "host join"' -l tls-key -r -F -d 'The key of this certificate (PEM)'
complete -c atectl -n '__atectl_at "host join"' -l insecure -d 'Allow a scheduler on another machine without TLS'
complete -c atectl -n '__atectl_at "host join"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "host join"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "host ls"' -l on -r -f -d 'Run it on the hosts of this Dask scheduler'
complete -c atectl -n '__atectl_at "host ls"' -l tls-ca -r -F -d 'Trust these certificate authorities (PEM)'
complete -c atectl -n '__atectl_at "host ls"' -l tls-cert -r -F -d 'The certificate of this side (PEM)'
complete -c atectl -n '__atectl_at "host ls"' -l tls-key -r -F -d 'The key of this certificate (PEM)'
complete -c atectl -n '__atectl_at "host ls"' -l insecure -d 'Allow a scheduler on another machine without TLS'
complete -c atectl -n '__atectl_at "host ls"' -l output -s o -r -f -a 'table wide json csv' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "host ls"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "host ls"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "load"' -l recursive -s r -d 'Load what is in folders and below'
complete -c atectl -n '__atectl_at "load"' -l jobs -s j -r -f -d 'How many are on their way at once'
complete -c atectl -n '__atectl_at "load"' -l limit -r -f -d 'Most memory for all that loads'
complete -c atectl -n '__atectl_at "load"' -l max-capsule -r -f -d 'Largest capsule that is taken'
complete -c atectl -n '__atectl_at "load"' -l compile-mem -r -f -d 'Most memory to compile a capsule'
complete -c atectl -n '__atectl_at "load"' -l compile-deadline -r -f -d 'Longest time to compile a capsule'
complete -c atectl -n '__atectl_at "load"' -l fits -r -f -d 'See that each starts under this quota'
complete -c atectl -n '__atectl_at "load"' -l budget -r -F -d 'See that each starts with what this host budget grants it'
complete -c atectl -n '__atectl_at "load"' -l no-cache -d 'Load all anew, and keep nothing'
complete -c atectl -n '__atectl_at "load"' -l chart -r -F -d 'Draw what was held over time into this SVG file'
complete -c atectl -n '__atectl_at "load"' -l baseline -r -f -a 'naive' -d 'Load with this loader too, for comparison'
complete -c atectl -n '__atectl_at "load"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "load"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "load"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "load"' -F

complete -c atectl -n '__atectl_at "inspect"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "inspect"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "inspect" 0' -F

complete -c atectl -n '__atectl_at "budget" 0' -a init -d 'Write a budget file with a comment for every key'
complete -c atectl -n '__atectl_at "budget" 0' -a check -d 'Say whether a host budget can be met, before anything runs'
complete -c atectl -n '__atectl_at "budget" 0' -a plan -d 'Recommend a budget from the peaks that the ledger has recorded'
complete -c atectl -n '__atectl_at "budget" 0' -a simulate -d 'Replay a recorded run under other policies and limits, without running anything'
complete -c atectl -n '__atectl_at "budget"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "budget init"' -l force -d 'Replace an existing file'
complete -c atectl -n '__atectl_at "budget init"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "budget init"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "budget init" 0' -F

complete -c atectl -n '__atectl_at "budget check"' -l pid -r -f -d 'Take the size of this running host, without its leases in the ledger, as the baseline'
complete -c atectl -n '__atectl_at "budget check"' -l baseline -r -f -d 'Take this baseline, instead of measuring'
complete -c atectl -n '__atectl_at "budget check"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "budget check"' -l limit -r -f -d 'Most memory of all processes of the host together'
complete -c atectl -n '__atectl_at "budget check"' -l soft -r -f -d 'Share of the limit from which leases are held back'
complete -c atectl -n '__atectl_at "budget check"' -l resume -r -f -d 'Share of the limit below which they go on'
complete -c atectl -n '__atectl_at "budget check"' -l backpressure -r -f -a 'both park spill none' -d 'What is done to leases above soft'
complete -c atectl -n '__atectl_at "budget check"' -l policy -r -f -a 'largest priority park-first none' -d 'The policy that chooses these leases'
complete -c atectl -n '__atectl_at "budget check"' -l spill-dir -r -f -a '(__atectl_folders)' -d 'Where memory is spilled, on a real disk'
complete -c atectl -n '__atectl_at "budget check"' -l spill-cap -r -f -d 'Most to spill'
complete -c atectl -n '__atectl_at "budget check"' -l jobs -s j -r -f -d 'How many jobs run at once'
complete -c atectl -n '__atectl_at "budget check"' -l max-capsule -r -f -d 'Largest capsule that is taken'
complete -c atectl -n '__atectl_at "budget check"' -l compile-mem -r -f -d 'Most memory to compile a capsule'
complete -c atectl -n '__atectl_at "budget check"' -l compile-deadline -r -f -d 'Longest time to compile a capsule'
complete -c atectl -n '__atectl_at "budget check"' -l strict -d 'Fail for warnings too'
complete -c atectl -n '__atectl_at "budget check"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "budget check"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "budget check"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "budget check" 0' -F

complete -c atectl -n '__atectl_at "budget plan"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "budget plan"' -l headroom -r -f -d 'What to add to a peak, in whole percent'
complete -c atectl -n '__atectl_at "budget plan"' -l write -r -F -d 'Write it as a budget file'
complete -c atectl -n '__atectl_at "budget plan"' -l force -d 'Replace an existing file'
complete -c atectl -n '__atectl_at "budget plan"' -l diff -r -F -d 'Compare it with this budget file'
complete -c atectl -n '__atectl_at "budget plan"' -l ignore-refused -d 'Leave all refused growths out'
complete -c atectl -n '__atectl_at "budget plan"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "budget plan"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "budget plan"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "budget simulate"' -l policy -r -f -a 'largest priority park-first none' -d 'Replay under this policy'
complete -c atectl -n '__atectl_at "budget simulate"' -l backpressure -r -f -a 'both park spill none' -d 'Replay under this back-pressure'
complete -c atectl -n '__atectl_at "budget simulate"' -l limit -r -f -d 'Replay under this limit'
complete -c atectl -n '__atectl_at "budget simulate"' -l chart -r -F -d 'Draw the timelines into this SVG file'
complete -c atectl -n '__atectl_at "budget simulate"' -l decisions -d 'List every decision of every run'
complete -c atectl -n '__atectl_at "budget simulate"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "budget simulate"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "budget simulate"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "budget simulate" 0' -F

complete -c atectl -n '__atectl_at "ledger" 0' -a ls -d 'List the accounts'
complete -c atectl -n '__atectl_at "ledger" 0' -a ps -d 'List the unfinished leases'
complete -c atectl -n '__atectl_at "ledger" 0' -a show -d 'Show one account in full, with its running and recent leases'
complete -c atectl -n '__atectl_at "ledger" 0' -a history -d 'List the finished and the lost leases, the newest first'
complete -c atectl -n '__atectl_at "ledger" 0' -a top -d 'Watch accounts and running leases live'
complete -c atectl -n '__atectl_at "ledger" 0' -a usage -d 'Show what was used by day or month, for the last 400 days'
complete -c atectl -n '__atectl_at "ledger" 0' -a merge -d 'Add what ledgers in files have counted to the one on a server'
complete -c atectl -n '__atectl_at "ledger" 0' -a export -d 'Print what dashboards show'
complete -c atectl -n '__atectl_at "ledger" 0' -a report -d 'Write a table of principals and their memory over time to a file'
complete -c atectl -n '__atectl_at "ledger" 0' -a serve -d 'Serve a page of the ledger at /, and metrics for Prometheus at /metrics'
complete -c atectl -n '__atectl_at "ledger" 0' -a end -d 'End a lease of this machine and user'
complete -c atectl -n '__atectl_at "ledger" 0' -a reset -d 'Forget one account, or all of them, with their finished leases and usage by period'
complete -c atectl -n '__atectl_at "ledger"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "ledger ls"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger ls"' -l output -s o -r -f -a 'table wide json csv' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "ledger ls"' -l sort -r -f -a 'principal running memory quota used peak refused cpu gibs fuel capsule since' -d 'Sort the accounts by this'
complete -c atectl -n '__atectl_at "ledger ls"' -l rows -r -f -d 'Show at most N rows'
complete -c atectl -n '__atectl_at "ledger ls"' -l host -r -f -d 'Show only what runs, or ran, on this host'
complete -c atectl -n '__atectl_at "ledger ls"' -l principal -r -f -a '(__atectl_ask "ledger ls" principal)' -d 'Show only this principal'
complete -c atectl -n '__atectl_at "ledger ls"' -l since -r -f -d 'Show only what was heard of within this time'
complete -c atectl -n '__atectl_at "ledger ls"' -l by -r -f -a 'principal host capsule' -d 'List accounts, or what runs by host or by capsule'
complete -c atectl -n '__atectl_at "ledger ls"' -l watch -s w -d 'Show it live until q is pressed'
complete -c atectl -n '__atectl_at "ledger ls"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger ls"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "ledger ps"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger ps"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "ledger ps"' -l sort -r -f -a 'started principal memory peak refused cpu' -d 'Sort the leases by this'
complete -c atectl -n '__atectl_at "ledger ps"' -l rows -r -f -d 'Show at most N rows'
complete -c atectl -n '__atectl_at "ledger ps"' -l host -r -f -d 'Show only what runs, or ran, on this host'
complete -c atectl -n '__atectl_at "ledger ps"' -l principal -r -f -a '(__atectl_ask "ledger ps" principal)' -d 'Show only this principal'
complete -c atectl -n '__atectl_at "ledger ps"' -l label -r -f -a '(__atectl_ask "ledger ps" label)' -d 'Show only this label'
complete -c atectl -n '__atectl_at "ledger ps"' -l since -r -f -d 'Show only what was heard of within this time'
complete -c atectl -n '__atectl_at "ledger ps"' -l watch -s w -d 'Show it live until q is pressed'
complete -c atectl -n '__atectl_at "ledger ps"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger ps"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "ledger show"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger show"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "ledger show"' -l rows -r -f -d 'Show at most N recent leases'
complete -c atectl -n '__atectl_at "ledger show"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger show"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "ledger show" 0' -f -a '(__atectl_ask "ledger show" principal)'

complete -c atectl -n '__atectl_at "ledger history"' -l principal -r -f -a '(__atectl_ask "ledger history" principal)' -d 'Show only this principal'
complete -c atectl -n '__atectl_at "ledger history"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger history"' -l output -s o -r -f -a 'table wide json csv' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "ledger history"' -l rows -r -f -d 'Show at most N leases'
complete -c atectl -n '__atectl_at "ledger history"' -l host -r -f -d 'Show only what runs, or ran, on this host'
complete -c atectl -n '__atectl_at "ledger history"' -l label -r -f -a '(__atectl_ask "ledger history" label)' -d 'Show only this label'
complete -c atectl -n '__atectl_at "ledger history"' -l since -r -f -d 'Show only what was heard of within this time'
complete -c atectl -n '__atectl_at "ledger history"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger history"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "ledger top"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger top"' -l interval -s d -r -f -d 'Time between two samples, at least 100ms'
complete -c atectl -n '__atectl_at "ledger top"' -l once -d 'Print one snapshot and exit'
complete -c atectl -n '__atectl_at "ledger top"' -s n -r -f -d 'Exit after N samples'
complete -c atectl -n '__atectl_at "ledger top"' -l sort -r -f -a 'principal running memory quota used peak refused cpu gibs fuel capsule since' -d 'Sort the accounts by this'
complete -c atectl -n '__atectl_at "ledger top"' -l rows -r -f -d 'Show at most N rows'
complete -c atectl -n '__atectl_at "ledger top"' -l principal -r -f -a '(__atectl_ask "ledger top" principal)' -d 'Show only this principal'
complete -c atectl -n '__atectl_at "ledger top"' -l host -r -f -d 'Show only what runs, or ran, on this host'
complete -c atectl -n '__atectl_at "ledger top"' -l by -r -f -a 'principal host capsule' -d 'Show accounts below the leases, or what runs by this'
complete -c atectl -n '__atectl_at "ledger top"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger top"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "ledger usage"' -l period -r -f -d 'By day, by month, or in one month or day only'
complete -c atectl -n '__atectl_at "ledger usage"' -l by -r -f -a 'principal host label' -d 'Sum by this'
complete -c atectl -n '__atectl_at "ledger usage"' -l principal -r -f -a '(__atectl_ask "ledger usage" principal)' -d 'Count only this principal'
complete -c atectl -n '__atectl_at "ledger usage"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger usage"' -l output -s o -r -f -a 'table wide json csv' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "ledger usage"' -l rows -r -f -d 'Show at most N rows'
complete -c atectl -n '__atectl_at "ledger usage"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger usage"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "ledger merge"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger merge"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger merge"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "ledger merge"' -F

complete -c atectl -n '__atectl_at "ledger export"' -l format -r -f -a 'prometheus openmetrics json csv' -d 'How to write the metrics'
complete -c atectl -n '__atectl_at "ledger export"' -l per-principal -r -f -d 'Name the N principals of the highest peaks'
complete -c atectl -n '__atectl_at "ledger export"' -l textfile -r -F -d 'Write atectl.prom into this folder, for node_exporter to find'
complete -c atectl -n '__atectl_at "ledger export"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger export"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger export"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "ledger report"' -l svg -r -F -d 'Write an SVG file'
complete -c atectl -n '__atectl_at "ledger report"' -l html -r -F -d 'Write an HTML file'
complete -c atectl -n '__atectl_at "ledger report"' -l last -r -f -d 'How much time before now to show'
complete -c atectl -n '__atectl_at "ledger report"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger report"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger report"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "ledger report"' -f -a '(__atectl_ask "ledger report" principals)'

complete -c atectl -n '__atectl_at "ledger serve"' -l listen -r -f -a '(__atectl_folders)' -d 'Where to listen'
complete -c atectl -n '__atectl_at "ledger serve"' -l token-file -r -F -d 'File with a bearer token that everybody has to show'
complete -c atectl -n '__atectl_at "ledger serve"' -l per-principal -r -f -d 'Name the N principals of the highest peaks'
complete -c atectl -n '__atectl_at "ledger serve"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger serve"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger serve"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "ledger end"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger end"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger end"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "ledger end" 0' -f -a '(__atectl_ask "ledger end" lease)'

complete -c atectl -n '__atectl_at "ledger reset"' -l all -d 'Forget every account'
complete -c atectl -n '__atectl_at "ledger reset"' -l yes -s y -d 'Do not ask for confirmation'
complete -c atectl -n '__atectl_at "ledger reset"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ledger reset"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ledger reset"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "ledger reset" 0' -f -a '(__atectl_ask "ledger reset" principal)'

complete -c atectl -n '__atectl_at "locks" 0' -a ls -d 'List actor locks with their holders, and actors left stranded without one'
complete -c atectl -n '__atectl_at "locks" 0' -a show -d 'Show one lock in full'
complete -c atectl -n '__atectl_at "locks" 0' -a release -d 'Release a lock that nobody renews any more'
complete -c atectl -n '__atectl_at "locks" 0' -a hold -d 'Run a command while holding an actor\'s lock'
complete -c atectl -n '__atectl_at "locks" 0' -a audit -d 'List the attempts to release a lock, the newest first, from your file and from Redis'
complete -c atectl -n '__atectl_at "locks" 0' -a acl -d 'Print the least that users need who read, hold or release locks, a line for each'
complete -c atectl -n '__atectl_at "locks" 0' -a demo -d 'Lay sample locks into a test server, to try the other commands'
complete -c atectl -n '__atectl_at "locks"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "locks ls"' -l probe -r -f -d 'Time between two looks, which tell live holders from dead ones'
complete -c atectl -n '__atectl_at "locks ls"' -l stale -d 'Only expiring, stuck, foreign and stranded ones'
complete -c atectl -n '__atectl_at "locks ls"' -l atespace -r -f -d 'Only actors of this atespace'
complete -c atectl -n '__atectl_at "locks ls"' -l sort -r -f -a 'actor atespace ttl age status verdict memory peak' -d 'What the locks are sorted by'
complete -c atectl -n '__atectl_at "locks ls"' -l rows -r -f -d 'Show at most N rows'
complete -c atectl -n '__atectl_at "locks ls"' -l watch -s w -d 'Show the locks live until q is pressed'
complete -c atectl -n '__atectl_at "locks ls"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "locks ls"' -l fail-on -r -f -a 'stale renewing held finishing expiring stuck foreign stranded' -d 'Exit with status 1 if any lock has this verdict'
complete -c atectl -n '__atectl_at "locks ls"' -l lock-prefix -r -f -d 'What the keys of locks begin with'
complete -c atectl -n '__atectl_at "locks ls"' -l lock-ttl -r -f -d 'The TTL that holders give their locks'
complete -c atectl -n '__atectl_at "locks ls"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "locks ls"' -l redis -r -f -d 'redis://, rediss:// (TLS) or unix:// URL of a server, nodes of a cluster or Sentinels (?master=NAME)'
complete -c atectl -n '__atectl_at "locks ls"' -l redis-password-file -r -F -d 'File with the password, used instead of one in the URL'
complete -c atectl -n '__atectl_at "locks ls"' -l redis-ca -r -F -d 'Trust these certificate authorities (PEM) instead of the system\'s'
complete -c atectl -n '__atectl_at "locks ls"' -l redis-cert -r -F -d 'The client certificate (PEM)'
complete -c atectl -n '__atectl_at "locks ls"' -l redis-key -r -F -d 'The key of the client certificate (PEM), if it is in another file'
complete -c atectl -n '__atectl_at "locks ls"' -l redis-server-name -r -f -d 'The name that every server\'s certificate has to be for, whatever its host'
complete -c atectl -n '__atectl_at "locks ls"' -l redis-timeout -r -f -d 'How long to wait for a connection, and for each answer'
complete -c atectl -n '__atectl_at "locks ls"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "locks ls"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "locks show"' -l probe -r -f -d 'Time between two looks, which tell live holders from dead ones'
complete -c atectl -n '__atectl_at "locks show"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "locks show"' -l lock-prefix -r -f -d 'What the keys of locks begin with'
complete -c atectl -n '__atectl_at "locks show"' -l lock-ttl -r -f -d 'The TTL that holders give their locks'
complete -c atectl -n '__atectl_at "locks show"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "locks show"' -l redis -r -f -d 'redis://, rediss:// (TLS) or unix:// URL of a server, nodes of a cluster or Sentinels (?master=NAME)'
complete -c atectl -n '__atectl_at "locks show"' -l redis-password-file -r -F -d 'File with the password, used instead of one in the URL'
complete -c atectl -n '__atectl_at "locks show"' -l redis-ca -r -F -d 'Trust these certificate authorities (PEM) instead of the system\'s'
complete -c atectl -n '__atectl_at "locks show"' -l redis-cert -r -F -d 'The client certificate (PEM)'
complete -c atectl -n '__atectl_at "locks show"' -l redis-key -r -F -d 'The key of the client certificate (PEM), if it is in another file'
complete -c atectl -n '__atectl_at "locks show"' -l redis-server-name -r -f -d 'The name that every server\'s certificate has to be for, whatever its host'
complete -c atectl -n '__atectl_at "locks show"' -l redis-timeout -r -f -d 'How long to wait for a connection, and for each answer'
complete -c atectl -n '__atectl_at "locks show"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "locks show"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "locks release"' -l wait -d 'Wait until the lock frees itself'
complete -c atectl -n '__atectl_at "locks release"' -l dry-run -d 'Only look and judge'
complete -c atectl -n '__atectl_at "locks release"' -l force -d 'Release it although its holder may be alive'
complete -c atectl -n '__atectl_at "locks release"' -l yes -s y -d 'Release it without asking'
complete -c atectl -n '__atectl_at "locks release"' -l token -r -f -d 'Only the lock that has this token'
complete -c atectl -n '__atectl_at "locks release"' -l probe -r -f -d 'Time between two looks, which tell live holders from dead ones'
complete -c atectl -n '__atectl_at "locks release"' -l lock-prefix -r -f -d 'What the keys of locks begin with'
complete -c atectl -n '__atectl_at "locks release"' -l lock-ttl -r -f -d 'The TTL that holders give their locks'
complete -c atectl -n '__atectl_at "locks release"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "locks release"' -l redis -r -f -d 'redis://, rediss:// (TLS) or unix:// URL of a server, nodes of a cluster or Sentinels (?master=NAME)'
complete -c atectl -n '__atectl_at "locks release"' -l redis-password-file -r -F -d 'File with the password, used instead of one in the URL'
complete -c atectl -n '__atectl_at "locks release"' -l redis-ca -r -F -d 'Trust these certificate authorities (PEM) instead of the system\'s'
complete -c atectl -n '__atectl_at "locks release"' -l redis-cert -r -F -d 'The client certificate (PEM)'
complete -c atectl -n '__atectl_at "locks release"' -l redis-key -r -F -d 'The key of the client certificate (PEM), if it is in another file'
complete -c atectl -n '__atectl_at "locks release"' -l redis-server-name -r -f -d 'The name that every server\'s certificate has to be for, whatever its host'
complete -c atectl -n '__atectl_at "locks release"' -l redis-timeout -r -f -d 'How long to wait for a connection, and for each answer'
complete -c atectl -n '__atectl_at "locks release"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "locks release"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "locks hold"' -l lock-ttl -r -f -d 'The lock frees itself this long after atectl dies'
complete -c atectl -n '__atectl_at "locks hold"' -l deadline -r -f -d 'How long the command may run'
complete -c atectl -n '__atectl_at "locks hold"' -l lock-wait -r -f -d 'How long to wait for a lock that is held, or a server that does not answer'
complete -c atectl -n '__atectl_at "locks hold"' -l principal -r -f -a '(__atectl_ask "locks hold" principal)' -d 'Whose work it is'
complete -c atectl -n '__atectl_at "locks hold"' -l lock-prefix -r -f -d 'What the keys of locks begin with'
complete -c atectl -n '__atectl_at "locks hold"' -l lock-strict -d 'Refuse to begin while a lock with an older or newer form of the key is held'
complete -c atectl -n '__atectl_at "locks hold"' -l pass-redis -d 'Leave ATECTL_REDIS_URL in the command\'s environment'
complete -c atectl -n '__atectl_at "locks hold"' -l redis -r -f -d 'redis://, rediss:// (TLS) or unix:// URL of a server, nodes of a cluster or Sentinels (?master=NAME)'
complete -c atectl -n '__atectl_at "locks hold"' -l redis-password-file -r -F -d 'File with the password, used instead of one in the URL'
complete -c atectl -n '__atectl_at "locks hold"' -l redis-ca -r -F -d 'Trust these certificate authorities (PEM) instead of the system\'s'
complete -c atectl -n '__atectl_at "locks hold"' -l redis-cert -r -F -d 'The client certificate (PEM)'
complete -c atectl -n '__atectl_at "locks hold"' -l redis-key -r -F -d 'The key of the client certificate (PEM), if it is in another file'
complete -c atectl -n '__atectl_at "locks hold"' -l redis-server-name -r -f -d 'The name that every server\'s certificate has to be for, whatever its host'
complete -c atectl -n '__atectl_at "locks hold"' -l redis-timeout -r -f -d 'How long to wait for a connection, and for each answer'
complete -c atectl -n '__atectl_at "locks hold"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "locks hold"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "locks audit"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "locks audit"' -l rows -r -f -d 'Show at most N rows'
complete -c atectl -n '__atectl_at "locks audit"' -l redis -r -f -d 'redis://, rediss:// (TLS) or unix:// URL of a server, nodes of a cluster or Sentinels (?master=NAME)'
complete -c atectl -n '__atectl_at "locks audit"' -l redis-password-file -r -F -d 'File with the password, used instead of one in the URL'
complete -c atectl -n '__atectl_at "locks audit"' -l redis-ca -r -F -d 'Trust these certificate authorities (PEM) instead of the system\'s'
complete -c atectl -n '__atectl_at "locks audit"' -l redis-cert -r -F -d 'The client certificate (PEM)'
complete -c atectl -n '__atectl_at "locks audit"' -l redis-key -r -F -d 'The key of the client certificate (PEM), if it is in another file'
complete -c atectl -n '__atectl_at "locks audit"' -l redis-server-name -r -f -d 'The name that every server\'s certificate has to be for, whatever its host'
complete -c atectl -n '__atectl_at "locks audit"' -l redis-timeout -r -f -d 'How long to wait for a connection, and for each answer'
complete -c atectl -n '__atectl_at "locks audit"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "locks audit"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "locks acl"' -l cluster -d 'The users are those of a cluster\'s nodes'
complete -c atectl -n '__atectl_at "locks acl"' -l lock-prefix -r -f -d 'What the keys of locks begin with'
complete -c atectl -n '__atectl_at "locks acl"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "locks acl"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "locks acl"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "locks demo"' -l remove -d 'Remove the samples that are as they were laid'
complete -c atectl -n '__atectl_at "locks demo"' -l force -d 'Lay them beside other keys, or on another machine'
complete -c atectl -n '__atectl_at "locks demo"' -l redis -r -f -d 'redis://, rediss:// (TLS) or unix:// URL of a server, nodes of a cluster or Sentinels (?master=NAME)'
complete -c atectl -n '__atectl_at "locks demo"' -l redis-password-file -r -F -d 'File with the password, used instead of one in the URL'
complete -c atectl -n '__atectl_at "locks demo"' -l redis-ca -r -F -d 'Trust these certificate authorities (PEM) instead of the system\'s'
complete -c atectl -n '__atectl_at "locks demo"' -l redis-cert -r -F -d 'The client certificate (PEM)'
complete -c atectl -n '__atectl_at "locks demo"' -l redis-key -r -F -d 'The key of the client certificate (PEM), if it is in another file'
complete -c atectl -n '__atectl_at "locks demo"' -l redis-server-name -r -f -d 'The name that every server\'s certificate has to be for, whatever its host'
complete -c atectl -n '__atectl_at "locks demo"' -l redis-timeout -r -f -d 'How long to wait for a connection, and for each answer'
complete -c atectl -n '__atectl_at "locks demo"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "locks demo"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "cache" 0' -a ls -d 'List the compiled capsules, most recently used first'
complete -c atectl -n '__atectl_at "cache" 0' -a prune -d 'Remove the least recently used capsules, and leftovers of killed runs'
complete -c atectl -n '__atectl_at "cache" 0' -a clear -d 'Remove all compiled capsules'
complete -c atectl -n '__atectl_at "cache"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "cache ls"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "cache ls"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "cache prune"' -l max-size -r -f -d 'Shrink the cache to this size'
complete -c atectl -n '__atectl_at "cache prune"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "cache clear"' -l yes -s y -d 'Do not ask for confirmation'
complete -c atectl -n '__atectl_at "cache clear"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "config" 0' -a show -d 'List every setting with its value and where that comes from'
complete -c atectl -n '__atectl_at "config"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "config show"' -l profile -r -f -d 'As they are with this profile'
complete -c atectl -n '__atectl_at "config show"' -l set -d 'Only those that are set, not the defaults'
complete -c atectl -n '__atectl_at "config show"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "config show"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "completions" 0' -a show -d 'Print the completion file for a shell'
complete -c atectl -n '__atectl_at "completions" 0' -a install -d 'Install the completion file for this user'
complete -c atectl -n '__atectl_at "completions" 0' -a uninstall -d 'Remove the completion files of this user'
complete -c atectl -n '__atectl_at "completions" 0' -a check -d 'Check that the completion files in a folder are up to date'
complete -c atectl -n '__atectl_at "completions"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "completions show"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "completions show" 0' -f -a 'bash zsh fish'

complete -c atectl -n '__atectl_at "completions install"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "completions install" 0' -f -a 'bash zsh fish'

complete -c atectl -n '__atectl_at "completions uninstall"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "completions uninstall" 0' -f -a 'bash zsh fish'

complete -c atectl -n '__atectl_at "completions check"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "completions check" 0' -f -a '(__atectl_folders)'

complete -c atectl -n '__atectl_at "man" 0' -a show -d 'Print a manual page, as man(1) takes it'
complete -c atectl -n '__atectl_at "man" 0' -a write -d 'Write all manual pages into a folder, and remove those of commands that are gone'
complete -c atectl -n '__atectl_at "man" 0' -a check -d 'Check that the manual pages in a folder are up to date'
complete -c atectl -n '__atectl_at "man"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "man show"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "man write"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "man write" 0' -f -a '(__atectl_folders)'

complete -c atectl -n '__atectl_at "man check"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "man check" 0' -f -a '(__atectl_folders)'

complete -c atectl -n '__atectl_at "explain"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "explain"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "explain" 0' -f -a '(__atectl_ask "explain" code)'

complete -c atectl -n '__atectl_at "schema"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "schema"' -l help -s h -d 'Show this message and exit'
complete -c atectl -n '__atectl_at "schema" 0' -f -a '(__atectl_ask "schema" name)'

complete -c atectl -n '__atectl_at "doctor"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "doctor"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "top"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "top"' -l interval -s d -r -f -d 'Time between two samples, at least 100ms'
complete -c atectl -n '__atectl_at "top"' -l once -d 'Print one snapshot and exit'
complete -c atectl -n '__atectl_at "top"' -s n -r -f -d 'Exit after N samples'
complete -c atectl -n '__atectl_at "top"' -l sort -r -f -a 'principal running memory quota used peak refused cpu gibs fuel capsule since' -d 'Sort the accounts by this'
complete -c atectl -n '__atectl_at "top"' -l rows -r -f -d 'Show at most N rows'
complete -c atectl -n '__atectl_at "top"' -l principal -r -f -a '(__atectl_ask "top" principal)' -d 'Show only this principal'
complete -c atectl -n '__atectl_at "top"' -l host -r -f -d 'Show only what runs, or ran, on this host'
complete -c atectl -n '__atectl_at "top"' -l by -r -f -a 'principal host capsule' -d 'Show accounts below the leases, or what runs by this'
complete -c atectl -n '__atectl_at "top"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "top"' -l help -s h -d 'Show this message and exit'

complete -c atectl -n '__atectl_at "ps"' -l ledger -r -F -d 'Where the ledger is stored'
complete -c atectl -n '__atectl_at "ps"' -l output -s o -r -f -a 'table wide json' -d 'Table (`wide`'
complete -c atectl -n '__atectl_at "ps"' -l sort -r -f -a 'started principal memory peak refused cpu' -d 'Sort the leases by this'
complete -c atectl -n '__atectl_at "ps"' -l rows -r -f -d 'Show at most N rows'
complete -c atectl -n '__atectl_at "ps"' -l host -r -f -d 'Show only what runs, or ran, on this host'
complete -c atectl -n '__atectl_at "ps"' -l principal -r -f -a '(__atectl_ask "ps" principal)' -d 'Show only this principal'
complete -c atectl -n '__atectl_at "ps"' -l label -r -f -a '(__atectl_ask "ps" label)' -d 'Show only this label'
complete -c atectl -n '__atectl_at "ps"' -l since -r -f -d 'Show only what was heard of within this time'
complete -c atectl -n '__atectl_at "ps"' -l watch -s w -d 'Show it live until q is pressed'
complete -c atectl -n '__atectl_at "ps"' -l quiet -s q -d 'Say nothing on stderr but errors'
complete -c atectl -n '__atectl_at "ps"' -l help -s h -d 'Show this message and exit'
