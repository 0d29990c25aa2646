# The parser of common/redis/resp.c under random replies (check/resp-fuzz.c), and whether that would find a fault in it.

load helper/common
load helper/redis

setup() {
  common_setup
  [ -x "$CHECKS/resp-fuzz" ] || skip "needs a build of its own (make $CHECKS/resp-fuzz)"
}

teardown() {
  common_teardown
}

@test "random replies, whole or spoilt, in any pieces: the same answer" {
  local seed=$((RANDOM * 32768 + RANDOM))
  run timeout --foreground 200 "$CHECKS/resp-fuzz" "$seed" 5000
  echo "resp-fuzz $seed 5000: $output"
  [ "$output" = "done" ]
}

# faulty EXPRESSION: the parser, changed by that sed(1) expression, is found to be wrong. Where the fault makes it read
# too far, a sanitizer tells, if there is one.
faulty() {
  local source=$BATS_TEST_DIRNAME/../common/redis/resp.c
  sed "$1" "$source" >resp.c
  if cmp -s "$source" resp.c; then
    echo "changes nothing: $1" >&2
    return 1
  fi
  compile resp.c
  if [ "$(./fuzz 1 3000 2>&1)" = "done" ]; then
    echo "not found: $1" >&2
    return 1
  fi
}

compile() {
  local top=$BATS_TEST_DIRNAME/..
  # shellcheck disable=SC2086 # words
  cc -std=c11 -D_GNU_SOURCE -O1 -g $sanitize -I"$top/common" -o fuzz "$top/check/resp-fuzz.c" "$1" "$top/common/base/num.c"
}

# bats test_tags=long
@test "each of these faults in the parser is found" {
  need cc gcc
  local sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all"
  echo 'int main(void) { return 0; }' >try.c
  cc $sanitize -o try try.c 2>/dev/null && ./try || sanitize=
  compile "$BATS_TEST_DIRNAME/../common/redis/resp.c"
  [ "$(./fuzz 1 3000)" = "done" ]
  faulty 's/r->depth == RESP_DEPTH/false/'
  faulty 's/r->left\[r->depth\]--;/r->left[0]--;/'
  faulty 's/while (r->depth \&\& !r->left/if (r->depth \&\& !r->left/'
  faulty 's/memcmp(v->bytes + v->len, "\\r\\n", 2) != 0/false/'
  faulty 's/n - line < v->len + 2 || \*wrong ? 0/n - line < v->len ? 0/'
  faulty 's/end\[-1\] != .\\r./false/'
  faulty 's/(!end && n >= max)/false/'
  faulty 's/ > (limit - line) \/ each/ > UINT64_MAX/'
  faulty 's/v->number == -1/v->number == -2/'
  faulty 's/negative ? 0 - magnitude : magnitude/magnitude/'
  faulty 's/(uint64_t)INT64_MAX + negative/UINT64_MAX/'
  faulty 's/RESP_ERROR : \*text/RESP_TEXT : *text/'
  faulty 's/left += inner.type == RESP_ARRAY/left += inner.type == RESP_TEXT/'
}
