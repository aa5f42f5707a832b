"""Shell completion of `python -m pipelines.zoho_crm`: scripts that ask this program what fits.

The scripts of click complete a program by its name, and ours has none: it is an argument of Python. So these
complete `python` if `-m pipelines.zoho_crm` follows, and leave it to whoever completed it before if not.
"""

from __future__ import annotations

import sys

import click

from .examples import Exemplified

VARIABLE = "_ZOHO_CRM_COMPLETE"  # click answers completions instead of running when it is set

BASH = """\
_zoho_crm_before=$(complete -p python 2>/dev/null | sed -n 's/.* -F \\([^ ]*\\) .*/\\1/p')
[ "$_zoho_crm_before" = _zoho_crm_complete ] && _zoho_crm_before=

_zoho_crm_complete() {
    if [ "${COMP_WORDS[1]}" != -m ] || [ "${COMP_WORDS[2]}" != pipelines.zoho_crm ] || [ "$COMP_CWORD" -lt 3 ]; then
        if [ -n "$_zoho_crm_before" ]; then "$_zoho_crm_before" "$@"; else compopt -o default; COMPREPLY=(); fi
        return
    fi
    local IFS=$'\\n' line kind
    COMPREPLY=()
    while read -r line; do
        kind=${line%%,*}
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("${line#*,}") ;;
        esac
    done < <(COMP_WORDS="zoho_crm
${COMP_WORDS[*]:3}" COMP_CWORD=$((COMP_CWORD - 2)) %(variable)s=bash_complete \\
        "${1/#\\~/$HOME}" -m pipelines.zoho_crm 2>/dev/null)
}

complete -o nosort -F _zoho_crm_complete python python3
"""

ZSH = """\
_zoho_crm_complete() {
    if [[ "$words[2]" != -m || "$words[3]" != pipelines.zoho_crm ]] || (( CURRENT < 4 )); then
        if (( $+functions[_python] )) || autoload -U +X _python 2>/dev/null; then _python "$@"; else _files; fi
        return
    fi
    local -a found described
    local kind key text
    found=("${(@f)$(env COMP_WORDS="zoho_crm ${(j: :)words[4,-1]}" COMP_CWORD=$((CURRENT - 3)) \\
        %(variable)s=zsh_complete ${~words[1]} -m pipelines.zoho_crm 2>/dev/null)}")
    for kind key text in $found; do
        case $kind in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain) if [[ $text == _ ]]; then described+=("$key"); else described+=("$key:$text"); fi ;;
        esac
    done
    (( $#described )) && _describe -V zoho_crm described -U
}

(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -D; }
compdef _zoho_crm_complete python python3
"""

FISH = """\
function __zoho_crm_is_meant
    set -l words (commandline -opc)
    test (count $words) -ge 3; and test "$words[2]" = -m; and test "$words[3]" = pipelines.zoho_crm
end

function __zoho_crm_complete
    set -l words (commandline -opc)
    set -l python (string replace -r '^~' $HOME -- $words[1])
    set -l rest zoho_crm $words[4..-1] (commandline -ct)
    for line in (env COMP_WORDS="$rest" COMP_CWORD=(commandline -ct) %(variable)s=fish_complete \\
            $python -m pipelines.zoho_crm 2>/dev/null)
        set -l parts (string split -m 1 , -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories (commandline -ct)
            case file
                __fish_complete_path (commandline -ct)
            case plain
                echo $parts[2]
        end
    end
end

complete -c python -n __zoho_crm_is_meant -f -a '(__zoho_crm_complete)'
complete -c python3 -n __zoho_crm_is_meant -f -a '(__zoho_crm_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def completion() -> click.Command:
    """The command that prints a script."""

    def callback(shell: str) -> None:
        sys.stdout.write(SCRIPTS[shell] % {"variable": VARIABLE})

    return Exemplified(
        "completion",
        params=[click.Argument(["shell"], type=click.Choice(list(SCRIPTS)))],
        callback=callback,
        help="Print the shell completion for bash, zsh or fish.",
    )
