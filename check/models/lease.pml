/*
 * lease.pml: a lock that is a lease on a server, and the two processes around a program: common/redis/lease.c, keep.c,
 * lease_hold.c. Time is in units that what is due takes at most (a twelfth of a lease; here a lease has 6). Any command, and any answer, may be late or lost; one that we gave up may still
 * be executed.
 *
 * Assumed: scripts are atomic; the server's clock and CLOCK_BOOTTIME run at one rate, and neither steps; what is due is done
 * within a unit; a killed program is gone (state D aside); of the two processes around a program, one is killed or
 * stopped, not both; the machine is not paused.
 *
 * Shown: no two programs run at a time. Wrong on purpose: NO_MARGIN, which counts from when the answer came; NO_PARENT: nobody
 * looks after the keeper; WAKE_IS_TRUTH: who is woken has the lock; GIVE_IS_BLIND: a release frees the lock, whoever has it.
 *
 * run:
 * wrong: -DNO_MARGIN
 * wrong: -DNO_PARENT
 * wrong: -DWAKE_IS_TRUTH -DN=3
 * wrong: -DGIVE_IS_BLIND -DN=3
 */
#define LEASE 6
#ifndef N
#define N 2    /* who wants it */
#endif
#define SLOTS 2 /* the command that is waited for, and one that was given up */
#define AT(i, k) ((i) * SLOTS + (k))

mtype = { NOTHING, TAKE, RENEW, GIVE, ALIVE, STOPPED, DEAD };

byte running = 0;
/* the server's */
byte expires[N]; /* in so long; 0: has no lease */
bool woken[N];
/* on the way */
mtype command[N * SLOTS] = NOTHING;
byte ago[N]; /* it was sent */
bool answered[N], yes[N];
/* of each who wants it */
bool program[N], over[N]; /* over: another token, if there is a next time */
byte left[N]; /* of the lease, as we count */
mtype keeper[N] = ALIVE, parent[N] = ALIVE;

/* executes a command, at whatever time */
proctype server()
{
    byte i, j, k, holders;
    bool result;
end:
    do
    :: atomic {
        select (i : 0 .. N - 1);
        select (k : 0 .. SLOTS - 1);
        if
        :: command[AT(i, k)] == NOTHING || (k == 0 && answered[i]) -> skip
        :: else ->
            holders = 0; j = 0;
            do
            :: j < N -> if :: expires[j] && j != i -> holders++ :: else fi; j++
            :: else -> break
            od;
            result = false;
            if
            :: command[AT(i, k)] == TAKE && !holders -> expires[i] = LEASE; result = true
            :: command[AT(i, k)] == RENEW && expires[i] -> expires[i] = LEASE; result = true
            :: command[AT(i, k)] == GIVE ->
#ifdef GIVE_IS_BLIND
                j = 0; do :: j < N -> expires[j] = 0; j++ :: else -> break od;
#endif
                expires[i] = 0;
                j = 0; do :: j < N -> woken[j] = (j != i); j++ :: else -> break od
            :: else
            fi;
            if
            :: k == 0 -> answered[i] = true; yes[i] = result
            :: else -> command[AT(i, k)] = NOTHING /* nobody hears */
            fi
        fi;
        i = 0; j = 0; k = 0; holders = 0; result = false }
    od
}

#define WAITS_FOR_ANSWER(i) (command[AT(i, 0)] != NOTHING)
#define SEND(i, what) command[AT(i, 0)] = what; ago[i] = 0; answered[i] = false
/* the connection is closed: what was sent may arrive, or not */
#define GIVE_UP(i) if :: command[AT(i, 1)] = command[AT(i, 0)] :: true fi; command[AT(i, 0)] = NOTHING; answered[i] = false; yes[i] = false; ago[i] = 0
#define TAKE_ANSWER(i) command[AT(i, 0)] = NOTHING; answered[i] = false; yes[i] = false; ago[i] = 0
#ifdef NO_MARGIN
#define LEFT(i) LEASE
#else
#define LEFT(i) (LEASE - ago[i])
#endif
#define START(i, time) left[i] = time; woken[i] = false; program[i] = true; running++; assert(running <= 1)
#define END(i) program[i] = false; left[i] = 0; over[i] = true; running--
/* keep_kill_at, keep_parent_kills_at */
#define IS_LATE(i) (left[i] <= 2)
#define IS_TOO_LATE(i) (left[i] <= 1)

#define RUNS(i) (program[i] && keeper[i] == ALIVE)
#define KEEPER_MUST(i) (RUNS(i) && (IS_LATE(i) || parent[i] == DEAD))
#ifdef NO_PARENT
#define PARENT_MUST(i) false
#else
#define PARENT_MUST(i) (program[i] && parent[i] == ALIVE && (keeper[i] == DEAD || IS_TOO_LATE(i)))
#endif

proctype holder(byte i)
{
end:
    do
    /* waiting */
    :: atomic { !program[i] && !over[i] && keeper[i] == ALIVE && !WAITS_FOR_ANSWER(i) -> SEND(i, TAKE) }
    :: atomic { !over[i] && command[AT(i, 0)] == TAKE && answered[i] ->
        if
        :: yes[i] && ago[i] < LEASE / 3 -> START(i, LEFT(i))
        :: else
        fi;
        TAKE_ANSWER(i) }
#ifdef WAKE_IS_TRUTH
    :: atomic { !program[i] && !over[i] && keeper[i] == ALIVE && woken[i] && !WAITS_FOR_ANSWER(i) -> woken[i] = false; START(i, LEASE) }
#endif
    /* holding: a renewal each third */
    :: atomic { RUNS(i) && !WAITS_FOR_ANSWER(i) && left[i] <= 2 * LEASE / 3 -> SEND(i, RENEW) }
    :: atomic { RUNS(i) && command[AT(i, 0)] == RENEW && answered[i] ->
        if
        :: yes[i] -> left[i] = LEFT(i)
        :: else -> END(i)
        fi;
        TAKE_ANSWER(i) }
    /* any command may be given up */
    :: atomic { keeper[i] == ALIVE && WAITS_FOR_ANSWER(i) && ago[i] > 0 -> GIVE_UP(i) }
    /* the program ends by itself, and the lock is given back */
    :: atomic { RUNS(i) && !WAITS_FOR_ANSWER(i) -> END(i); SEND(i, GIVE) }
    :: atomic { !program[i] && command[AT(i, 0)] == GIVE && answered[i] -> TAKE_ANSWER(i) }
    /* it is ended in time */
    :: atomic { KEEPER_MUST(i) -> END(i) }
    :: atomic { PARENT_MUST(i) -> END(i); keeper[i] = DEAD }
    /* one of the two is killed or stopped, in any state */
    :: atomic { program[i] && keeper[i] == ALIVE && parent[i] == ALIVE ->
        if
        :: keeper[i] = DEAD
        :: keeper[i] = STOPPED
        :: parent[i] = DEAD
        fi }
    od
}

#define DUE (KEEPER_MUST(0) || PARENT_MUST(0) || KEEPER_MUST(N - 1) || PARENT_MUST(N - 1) || KEEPER_MUST(N / 2) || PARENT_MUST(N / 2))

proctype clock()
{
    byte i;
end:
    do
    :: atomic { !DUE ->
        i = 0;
        do
        :: i < N ->
            if :: expires[i] -> expires[i]-- :: else fi;
            if :: left[i] -> left[i]-- :: else fi;
            if :: WAITS_FOR_ANSWER(i) && ago[i] < LEASE -> ago[i]++ :: else fi;
            i++
        :: else -> break
        od;
        i = 0 }
    od
}

init {
    byte i = 0;
    atomic {
        run server();
        run clock();
        do :: i < N -> run holder(i); i++ :: else -> break od
    }
}
