#!/usr/bin/perl
# probe.pl WHAT [WORD]... - the programs that probe.sh has started by the tools it asks.
#
#   stay FILE [WORD]...   writes its pid to FILE.pid when it is ready, and each signal that comes to FILE.heard.
#                         SIGTERM ends it: after a while if "slow" (then there is FILE.done), not at all if "deaf".
#                         "session": in one of its own. "leave": in the background, as an orphan. "closed": it closes
#                         all that it got. "stopped": it stops itself.
#   orphan                0 if our parent becomes the parent of an orphan of ours, and waits for it
#   terminal FILE         opens a terminal, and writes what our controlling terminal is then; 0: none
#   notify FILE           makes FILE after a while, and is ready then
#   lock FILE             0 if FILE was not locked
#   block COMMAND...      blocks two signals, and becomes COMMAND
#   listen COMMAND...     sets LISTEN_PID as for sockets that were passed, and becomes COMMAND
#   returned FILE COMMAND...  writes to FILE whether COMMAND has left a d.pid that is not empty
use strict;
use warnings;
use Fcntl qw(:DEFAULT :flock);
use POSIX qw(setsid sigaction sigprocmask);
use Socket;

sub pause { select undef, undef, undef, shift }

sub put {
    my ($file, $text) = @_;
    open my $f, '>', "$file.new$$" or die "$file: $!";
    print $f "$text\n";
    close $f;
    rename "$file.new$$", $file or die "$file: $!";
}

sub stay {
    my ($file, %is) = (shift, map {$_ => 1} @_);
    if ($is{leave}) {
        if (my $pid = fork // die) {
            waitpid $pid, 0;
            pause(0.01) until -s "$file.pid";
            return 0;
        }
        POSIX::_exit(0) if fork // die;
    }
    setsid if $is{session};
    if ($is{closed}) { POSIX::close($_) for 3 .. 255 }
    for my $n (1, 10, 12, 15, 36) {
        my $hear = sub {
            open my $f, '>>', "$file.heard" or die;
            syswrite $f, "$n\n";
            return if $n != 15;
            pause(0.2) if $is{slow};
            put("$file.done", 'done') if $is{slow};
            POSIX::_exit(0);
        };
        sigaction($n, POSIX::SigAction->new($hear));
    }
    $SIG{TERM} = 'IGNORE' if $is{deaf};
    alarm 60;
    put("$file.pid", $$);
    kill STOP => $$ if $is{stopped};
    pause(10) for 1 .. 100;
    return 1;
}

sub orphan {
    pipe my $in, my $out or die;
    if (!(fork // die)) {
        my $parent = $$;
        POSIX::_exit(0) if fork // die;
        pause(0.01) while getppid == $parent;
        syswrite $out, "$$ " . getppid . "\n";
        POSIX::_exit(0);
    }
    wait;
    my ($pid, $parent) = split ' ', <$in>;
    return 1 if $parent != getppid;
    for (1 .. 100) {
        return 0 if !-e "/proc/$pid";
        pause(0.02);
    }
    return 1;
}

sub terminal {
    my ($number, $zero) = (pack('i', 0), pack('i', 0));
    my ($TIOCSPTLCK, $TIOCGPTN) = (0x40045431, 0x80045430);
    sysopen my $master, '/dev/ptmx', O_RDWR | O_NOCTTY or die "ptmx: $!";
    ioctl $master, $TIOCSPTLCK, $zero or die "unlock: $!";
    ioctl $master, $TIOCGPTN, $number or die "number: $!";
    sysopen my $slave, '/dev/pts/' . unpack('i', $number), O_RDWR or die "pts: $!";
    open my $stat, '<', '/proc/self/stat' or die;
    put($_[0], (split ' ', <$stat> =~ s/.*\) //r)[4]);
    pause(60);
}

sub notify {
    pause(0.3);
    put($_[0], 'ready');
    my $path = $ENV{NOTIFY_SOCKET} =~ s/^@/\0/r;
    socket my $s, AF_UNIX, SOCK_DGRAM, 0 or die;
    send $s, 'READY=1', 0, pack_sockaddr_un($path) or die "send: $!";
    pause(60);
}

sub lock {
    open my $f, '>>', $_[0] or die "$_[0]: $!";
    return !flock $f, LOCK_EX | LOCK_NB;
}

sub block {
    sigprocmask(POSIX::SIG_BLOCK, POSIX::SigSet->new(POSIX::SIGUSR2, POSIX::SIGTTIN));
    exec {$_[0]} @_ or die "$_[0]: $!";
}

sub listen {
    @ENV{qw(LISTEN_PID LISTEN_FDS)} = ($$, 1);
    exec {$_[0]} @_ or die "$_[0]: $!";
}

sub returned {
    my $file = shift;
    system {$_[0]} @_;
    put($file, -s 'd.pid' ? 'yes' : 'no');
    return 0;
}

my $what = shift;
exit main->can($what)->(@ARGV);
