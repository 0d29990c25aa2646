// staying hold | be - a process that SIGKILL does not end, as one that waits for a device.
//
// be: tells the holder, becomes traceable by it, says "there" on stdout and sleeps.
// hold: traces those that come, until its own end: each stays in its exit (PTRACE_EVENT_EXIT of ptrace(2)),
// alive.
//
// They meet at the FIFO $STAYING. 77: tracing is refused here.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <unistd.h>

static int fail(const char *what)
{
    fprintf(stderr, "staying: %s: %s\n", what, strerror(errno));
    return 77;
}

static int be_traced(void)
{
    char line[256];
    int tracer = 0;
    int fd = open(getenv("STAYING"), O_RDWR | O_CLOEXEC);
    pid_t self = getpid();
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); // where Yama asks for it
    if (fd < 0 || write(fd, &self, sizeof self) != sizeof self)
        return fail("write");
    while (!tracer) {
        FILE *status = fopen("/proc/self/status", "re");
        while (status && fgets(line, sizeof line, status))
            sscanf(line, "TracerPid: %d", &tracer);
        if (status)
            fclose(status);
        poll(NULL, 0, 5);
    }
    puts("there");
    fflush(stdout);
    for (;;)
        pause();
}

static int hold(void)
{
    pid_t pid;
    int fd = open(getenv("STAYING"), O_RDWR | O_CLOEXEC);
    while (fd >= 0 && read(fd, &pid, sizeof pid) == sizeof pid)
        if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACEEXIT) < 0)
            return fail("ptrace");
    return fail("read");
}

int main(int argc, char **argv)
{
    if (argc != 2 || !getenv("STAYING"))
        return fail("hold or be, and $STAYING, are needed");
    return strcmp(argv[1], "hold") == 0 ? hold() : be_traced();
}
