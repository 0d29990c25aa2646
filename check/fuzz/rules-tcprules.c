/*
 * rules-tcprules.c - rules as tcpserver's peers have them: what tcprules(1) and tcprulescheck(1) of
 * ucspi-tcp-ipv6 make of a file is what ours makes of it. Files and clients are made of the input's bytes.
 *
 * Where ours refuses what tcprules takes, the reason is one of `stricter`: such a line never applies there,
 * or to another client than it seems to. Where tcprules refuses, so do we. tcprules writes an IPv6 address
 * bare, and as TCPREMOTEIP has it; ours needs brackets.
 */
#include "harness/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "serve/rules.h"

enum { LINES = 8, CLIENTS = 2 };

static const char *const stricter[] = {
    "the address is not an IPv4 address", /* numbers above 255 or with zeros before them, 9-4: no client has
                                             such */
    "an address can have only one range", /* the second - is a character to tcprules: no client has it */
    "a prefix must end with a dot",       /* 1.2 is a client's whole address to tcprules, which none has */
    "the address of a block must have four numbers", "the address has too many parts",
    "expected a variable as NAME=", /* of an empty NAME: no program can read it */
};

struct files {
    char ours[128], theirs[128], cdb[128], tmp[128];
};

static void put_octet(struct buf *b, struct input *in)
{
    static const unsigned numbers[] = {0, 1, 2, 3, 9, 10, 255, 256, 127, 1, 2, 3, 1, 2, 3, 2};
    unsigned n = fuzz_byte(in);
    buf_fmt(b, n == 0xff ? "01" : n & 0x80 ? "%u-%u" : "%u", numbers[n & 15], numbers[n >> 4 & 7]);
}

static void put_address(struct buf *ours, struct buf *theirs, struct input *in)
{
    /* none with a : at the end, which makes a prefix to tcprules */
    static const char *const six[] = {"::1", "2001:db8::1", "fe80::1"};
    char mem[64];
    struct buf b = BUF(mem);
    unsigned form = fuzz_byte(in);
    if (form < 24) {
        buf_text(theirs, six[form % 3]);
        buf_fmt(ours, "[%s]", six[form % 3]);
        return;
    }
    unsigned parts = form % 5;
    for (unsigned i = 1; i <= parts; i++) {
        put_octet(&b, in);
        buf_text(&b, i < 4 ? "." : "");
    }
    b.len -= form == 255 && b.len;
    buf_text(ours, buf_str(&b));
    buf_text(theirs, mem);
}

/* ":deny", ":allow,A=/b/" and some that are wrong. */
static void put_rest(struct buf *b, struct input *in)
{
    static const char *const texts[] = {"deny", "allow", ",A=\"b\"", ",C=/d e/", ",A=\"\"", " ", "\t", ",B",
        "x", "", ",TCPREMOTEHOST=.a", ",=\"\"", "\"", "#", ",D=\"e\"", ""};
    unsigned n = fuzz_byte(in);
    buf_text(b, ":");
    buf_text(b, texts[n & 1]);
    for (unsigned i = n >> 6; i; i--)
        buf_text(b, texts[2 + fuzz_byte(in) % 13u]);
    buf_text(b, texts[5 + (n >> 1 & 8)]);
}

static int run(const char *program, char *const *argv, const char *in, const char *out, char **env)
{
    const struct rlimit second = {
        .rlim_cur = 1, .rlim_max = 2}; /* tcprules may loop on a line without a rule */
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, in, O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    int failed = posix_spawnp(&pid, program, &files, NULL, argv, env);
    posix_spawn_file_actions_destroy(&files);
    if (failed)
        return -1;
    prlimit(pid, RLIMIT_CPU, &second, NULL);
    pid_t ended = -1;
    for (errno = EINTR; ended < 0 && errno == EINTR;) /* libFuzzer has a timer */
        ended = waitpid(pid, &status, 0);             /* NOLINT: a fuzz target is no program of ours */
    MUST(ended == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 111;
}

static void write_file(const char *path, const struct buf *b)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, b->mem, b->len) == (ssize_t)b->len);
    close(fd);
}

/* What tcprulescheck prints, in the words of ours: "A=b\nallow\n". */
static void theirs(const struct files *f, const char *client, struct buf *out)
{
    char variable[80], text[4096], word[] = "tcprulescheck",
                                   *argv[] = {word, (char *)f->cdb, (char *)client, NULL};
    char *env[] = {variable, NULL}, *rest = text, *line;
    snprintf(variable, sizeof variable, "TCPREMOTEIP=%s", client);
    MUST(run(word, argv, "/dev/null", f->tmp, env) == 0);
    int fd = open(f->tmp, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    while ((line = strtok_r(rest, "\n", &rest))) {
        bool sets = strncmp(line, "set environment variable ", 25) == 0, ends = strstr(line, " connection");
        if (sets || ends)
            buf_fmt(out, "%.*s\n", (int)(ends && !sets ? strcspn(line, " ") : strlen(line)),
                line + (sets ? 25 : 0));
    }
}

static void ours(const struct rules *r, const char *client, struct buf *out)
{
    struct addr a;
    MUST(addr_parse_ip(&a, client, 0));
    const struct rule *rule = rules_find(r, &a);
    for (const char *var = rule && !rule->deny ? rule->vars : ""; *var; var += strlen(var) + 1)
        buf_fmt(out, "%s\n", var);
    buf_text(out, rule && rule->deny ? "deny\n" : "allow\n");
}

static void compare(const struct files *f, const struct rules *r, struct input *in)
{
    static const char *const clients[] = {"1.2.3.1", "1.2.3.2", "2.1.1.1", "10.0.0.1", "1.1.1.1", "::1",
        "2001:db8::1", "3.2.1.0", "255.1.2.3", "1.10.2.9", "127.0.0.1", "9.9.9.9", "2.2.2.2", "1.3.2.1",
        "0.0.0.0", "1.2.1.3"};
    for (int i = 0; i < CLIENTS; i++) {
        char a[1024], b[1024];
        struct buf one = BUF(a), other = BUF(b);
        const char *client = clients[fuzz_byte(in) & 15];
        ours(r, client, &one);
        theirs(f, client, &other);
        MUST(one.len == other.len && memcmp(a, b, one.len) == 0);
        PLANTED(one.len > 10 && strchr(client, ':'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char word[] = "tcprules", *none[] = {NULL};
    static struct files f;
    static bool missing;
    struct input in = {data, size};
    char our_mem[2048], their_mem[2048];
    struct buf our = BUF(our_mem), their = BUF(their_mem);
    struct rules_error error;
    const char *dir = fuzz_dir();
    snprintf(f.ours, sizeof f.ours, "%s/ours", dir);
    snprintf(f.theirs, sizeof f.theirs, "%s/theirs", dir);
    snprintf(f.cdb, sizeof f.cdb, "%s/cdb", dir);
    snprintf(f.tmp, sizeof f.tmp, "%s/tmp", dir);
    for (int i = 0; in.left > CLIENTS && i < LINES; i++) {
        put_address(&our, &their, &in);
        size_t from = our.len;
        put_rest(&our, &in);
        buf_text(&our, "\n");
        buf_bytes(&their, our.mem + from, our.len - from);
    }
    write_file(f.ours, &our);
    write_file(f.theirs, &their);
    char *argv[] = {word, f.cdb, f.tmp, NULL};
    int status = missing ? -1 : run(word, argv, f.theirs, "/dev/null", none);
    missing = status < 0; /* there is no tcprules here: nothing to compare */
    struct rules *r = rules_read(f.ours, false, &error);
    MUST(missing || status == 0 || !r);
    bool listed = missing || status;
    for (size_t i = 0; !r && i < sizeof stricter / sizeof *stricter; i++)
        listed = listed || strncmp(error.why, stricter[i], strlen(stricter[i])) == 0;
    MUST(r || listed);
    if (r && !missing)
        compare(&f, r, &in);
    rules_free(r);
    for (int i = 0; i < 4; i++)
        unlink((const char *[]){f.ours, f.theirs, f.cdb, f.tmp}[i]);
    return 0;
}
