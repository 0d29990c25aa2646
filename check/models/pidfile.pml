/*
 * pidfile.pml: who has a pidfile: common/daemon/pidfile.c, monitor_start.c. Starters, ends, kills, and a user who removes files.
 *
 * Assumed: what lock.pml shows, so that the lock on a change (lock_change) is one variable; it can be waited for in vain
 * (TIMED_OUT). fcntl(2)'s lock on an inode is its holder's until that ends, and tells who that is. rename(2) is atomic.
 *
 * Shown: a pidfile that has its name is locked by a daemon that is up, or by nobody; it never has a name before it is locked and
 * written; a daemon that is up keeps its file unless the user removes it (FOREIGN), and without him at most one is up; nobody
 * removes the file of another. Wrong on purpose: NO_CHANGE_LOCK, which looks and renames unlocked; IN_PLACE, which makes the
 * file under its name and then locks it; REMOVE_UNLOCKED, which removes its own even where the lock on the change could
 * not be had.
 *
 * run:
 * run: -DFOREIGN
 * wrong: -DNO_CHANGE_LOCK
 * wrong: -DIN_PLACE
 * wrong: -DFOREIGN -DREMOVE_UNLOCKED
 */
#define DAEMONS 3
#define INODES (2 + 2 * DAEMONS)
#define NONE 0

byte name = NONE, fresh = NONE; /* the inodes of the pidfile and of .NAME.new */
byte made = NONE;
byte locker[INODES]; /* 1 + the daemon that has locked it */
bool written[INODES];
byte change = 0;     /* 1 + who has it */
byte up = 0;
bool removed = false; /* by the user, at least once */

inline make(inode) { made++; inode = made }

/* SIGKILL at any step: the kernel unlocks all */
#define MAY_DIE :: atomic { true -> goto dead }

#ifdef NO_CHANGE_LOCK
#define TAKE_CHANGE true
#else
#define TAKE_CHANGE atomic { change == 0 -> change = me + 1 }
#endif
#define GIVE_CHANGE atomic { if :: change == me + 1 -> change = 0 :: else fi }

proctype daemon(byte me)
{
    byte ours = NONE, seen;
    bool is_up = false, mine;
    if
    :: TAKE_CHANGE
    :: atomic { true -> goto dead } /* in vain: it does not start */
    fi;
    /* check_pidfile */
    atomic { if :: name == NONE -> seen = 0 :: else -> seen = locker[name] fi };
    if
    :: seen != 0 -> goto dead
    :: seen == 0
    MAY_DIE
    fi;
#ifdef IN_PLACE
    atomic { make(ours); name = ours };
    locker[ours] = me + 1;
    written[ours] = true;
#else
    /* make_fresh: what another left is discarded */
    fresh = NONE;
    if
    :: atomic { fresh == NONE -> make(ours); fresh = ours }
    :: atomic { fresh != NONE -> goto dead } /* O_EXCL */
    MAY_DIE
    fi;
    if
    :: locker[ours] = me + 1
    MAY_DIE
    fi;
    if
    :: written[ours] = true
    MAY_DIE
    fi;
    if
    :: atomic { fresh == ours -> name = ours; fresh = NONE }
    :: atomic { fresh != ours -> goto dead } /* ENOENT, or another's: the error of a start */
    MAY_DIE
    fi;
#endif
    atomic { is_up = true; up++ };
    GIVE_CHANGE;
    /* up: looks are below, in `observer` */
    if
    :: true
    MAY_DIE
    fi;
    /* pidfile_remove */
    if
    :: TAKE_CHANGE
    :: atomic { change != 0 && change != me + 1 ->
#ifndef REMOVE_UNLOCKED
           goto dead
#endif
       } /* TIMED_OUT: it stays, cleared, and is nobody's */
    fi;
    mine = (name == ours);
    if
    :: mine -> atomic {
           assert(name == NONE || locker[name] == me + 1 || locker[name] == 0);
           name = NONE }
    :: !mine
    MAY_DIE
    fi;
dead:
    atomic {
        if :: is_up -> up--; is_up = false :: else fi;
        if :: ours != NONE && locker[ours] == me + 1 -> locker[ours] = 0 :: else fi;
        if :: change == me + 1 -> change = 0 :: else fi
    }
}

active proctype user()
{
#ifdef FOREIGN
    atomic { name = NONE; removed = true }
#else
    skip
#endif
}

/* what a reader of the pidfile may see at any moment */
active proctype observer()
{
end:
    atomic { !(up <= 1 || removed) -> assert(false) }
}

active proctype reader()
{
end:
    atomic { name != NONE && !written[name] -> assert(false) }
}

init {
    byte i = 0;
    atomic { do :: i < DAEMONS -> run daemon(i); i++ :: else -> break od }
}
