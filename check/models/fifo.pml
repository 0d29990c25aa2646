/*
 * fifo.pml: one FIFO, one server, several readers: applets/mkfifo-sig.c, common/pipe/fifo.c, for answers of up to PIPE_BUF
 * bytes, which are one write(2) and one read(2).
 *
 * Assumed: what pipe(7) and inotify(7) say. A reader closes at some time; one that does not for --linger is in the page.
 *
 * Shown: no answer is delivered twice; every reader comes to an end of file, or leaves; and one who comes when the others have
 * gone (ALONE) gets one answer at most. Of several at once one may get two: one closes, which is all that the server can see, and
 * another that has read its answer, but not yet its end of file, is there when the next answer is written. The page says so. Wrong
 * on purpose: NO_CLOSE_WAIT, which serves again before a reader has closed: the race of perlipc's example, which sleeps there.
 *
 * run:
 * run: -DALONE
 * wrong: -DALONE -DNO_CLOSE_WAIT
 */
#define READERS 3

byte readers = 0;   /* who have it open for reading */
bool writer = true; /* the server has it open for writing */
byte held = 0;      /* the answer in the pipe; 0: empty */
bool closed = false; /* the event */
bool delivered[READERS * 2 + 2];
byte gone = 0;

proctype reader()
{
    byte answer, got = 0;
#ifdef ALONE
    atomic { readers == 0 -> readers++ };
#else
    readers++;
#endif
    if
    :: writer /* open(2) waits for one */
    :: atomic { true -> goto leave }
    fi;
    do
    :: atomic { held != 0 -> answer = held; held = 0;
           assert(!delivered[answer]);
           delivered[answer] = true;
           got++;
#ifdef ALONE
           assert(got == 1)
#endif
       }
    :: atomic { held == 0 && !writer -> break } /* the end of file */
    :: atomic { true -> break } /* leaves early */
    od;
leave:
    atomic { readers--; closed = true; gone++;
        if :: readers == 0 && !writer -> held = 0 :: else fi } /* nobody has the pipe any more */
}

proctype server()
{
    byte number = 0;
end:
    do
    :: atomic { readers > 0 -> number++ }
        /* run PROG, whatever time it takes; then write */
        if
        :: atomic { readers > 0 -> held = number }
        :: atomic { readers == 0 -> goto next } /* SIGPIPE: who waited has left */
        fi;
        /* wait_until_read */
        if
        :: held == 0
        :: readers == 0
        fi;
        /* fifo_hang_up */
        atomic { closed = (readers == 0); writer = false;
            if :: closed -> held = 0 :: else fi };
#ifndef NO_CLOSE_WAIT
        closed || readers == 0;
#endif
next:
        /* open_writer */
        atomic { writer = true; closed = false };
        if
        :: gone == READERS -> break
        :: gone < READERS
        fi
    :: gone == READERS -> break
    od
}

init {
    byte i = 0;
    atomic {
        run server();
        do :: i < READERS -> run reader(); i++ :: else -> break od
    }
}
