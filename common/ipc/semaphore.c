/*
 * semaphore.c - see semaphore.h: which of the two kinds KEY names.
 */
#include "ipc/semaphore.h"

#include "base/clock.h"
#include "process/sigs.h"
#include "redis/key.h"

void semaphore_init(struct semaphore *s, struct msg *m)
{
    *s = (struct semaphore){.msg = m,
        .nums = {.n = 1, .amount = 1},
        .making = {.mode = 0600},
        .timeout = CLOCK_NEVER,
        .watch.fd = -1};
    job_init(&s->job, m);
}

void semaphore_find(struct semaphore *s, const char *word, enum semaphore_use use)
{
    sigs_heed_term(); /* a wait may be long */
    s->word = word;
    s->lease.name = redis_name(s->msg, word);
    s->kind = s->lease.name ? &semaphore_redis : &semaphore_sysv;
    if (s->lease.name) {
        semaphore_redis_check(s, use);
        return;
    }
    sysv_key(&s->key, s->msg, word,
        use == SEMAPHORE_CREATE              ? SYSV_MAKES
        : use == SEMAPHORE_TAKE && s->create ? SYSV_EITHER
                                             : SYSV_FINDS);
    lease_wish_check(&s->wish, s->msg, NULL, s->pid);
    if (s->token)
        msg_usage(s->msg, "--token requires redis:NAME");
    sem_check(s->msg, &s->nums);
}
