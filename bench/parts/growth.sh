# shellcheck shell=sh disable=SC2154,SC2034 # what run.sh and lib.sh set, and what they look at
#
# growth.sh -

growth_part() {
  :
}
