/*
 * lock.pml: the lock of a file whose name may be gone by the time that it is locked: lock_at, lock_path and lock_place_end in
 * common/process/lock.c.
 *
 * Assumed: open(2) with O_CREAT, flock(2) and unlink(2) are atomic; an inode that is open is not given away again; the kernel
 * unlocks what a process that ends had locked. Without FOREIGN, nobody but us removes the file, as for locks of our own
 * (.NAME.lock, of mode 0600); with it anybody may, at any moment, as for lockrun's FILE.
 *
 * Shown: no two of us are inside at a time; with FOREIGN, whoever goes in has a lock of the file that had the name when it was
 * locked. Wrong on purpose: NO_RECHECK, which does not look whether the name still is that of the file that was locked.
 *
 * run:
 * run: -DFOREIGN
 * wrong: -DNO_RECHECK
 * wrong: -DFOREIGN -DNO_RECHECK
 */
#define PROCS 3
#define ROUNDS 2
#define REMOVALS 2
#define INODES (2 + PROCS * ROUNDS + REMOVALS)
#define NONE 0

byte name = NONE;    /* the inode that has the name */
byte made = NONE;    /* the last one made */
byte owner[INODES];  /* 1 + who has locked it */
byte inside = 0;

/* SIGKILL, at any step */
#define MAY_DIE :: atomic { true -> if :: owner[fd] == me + 1 -> owner[fd] = 0 :: else fi; goto dead }

proctype taker(byte me)
{
    byte fd = NONE, round = 0;
    bool was_named = false, mine;
again:
    atomic { if :: name == NONE -> made++; name = made :: else fi; fd = name }
    if
    :: atomic { owner[fd] == 0 -> owner[fd] = me + 1; was_named = (fd == name) }
    MAY_DIE
    fi;
#ifndef NO_RECHECK
    if
    :: atomic { fd != name -> owner[fd] = 0; fd = NONE }; goto again
    :: fd == name
    MAY_DIE
    fi;
#endif
    atomic { inside++;
#ifdef FOREIGN
        assert(was_named);
#else
        assert(inside == 1);
#endif
    }
    if
    :: atomic { true -> inside-- }
    :: atomic { true -> inside--; owner[fd] = 0; goto dead }
    fi;
#ifndef FOREIGN
    /* lock_place_end: looks, removes, and unlocks, each by itself */
    mine = (fd == name);
    if
    :: mine -> name = NONE
    :: !mine
    MAY_DIE
    fi;
#endif
    owner[fd] = 0;
    fd = NONE;
    round++;
    if
    :: round < ROUNDS -> goto again
    :: else
    fi;
dead:
    skip
}

active proctype remover()
{
#ifdef FOREIGN
    byte n = 0;
    do
    :: n < REMOVALS -> name = NONE; n++
    :: break
    od
#else
    skip
#endif
}

init {
    byte i = 0;
    atomic { do :: i < PROCS -> run taker(i); i++ :: else -> break od }
}
