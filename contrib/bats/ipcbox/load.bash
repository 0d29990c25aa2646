# shellcheck shell=bash source=contrib/bats/ipcbox.bash
# For bats_load_library; an installed one is the library itself.
source "${BASH_SOURCE[0]%/*}/../ipcbox.bash"
