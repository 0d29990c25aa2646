# activate.pl KINDS COMMAND...: passes sockets to COMMAND as systemd does. KINDS has a letter for each fd from 3 on: l a
# listening TCP socket, u one that doesn't listen, d UDP, x a listening Unix socket, f a file. LISTEN_PID is right
# unless WRONG_PID is set; NAMES becomes LISTEN_FDNAMES. With CALLED, a client has connected to the first socket
# already, and stays. The ports go to the file `ports`.
use strict;
use warnings;
use Fcntl;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();

$^F = 255;
my ($kinds, @command) = @ARGV;
my (@made, @ports);
for my $kind (split //, $kinds) {
    my %here = (LocalAddr => '127.0.0.1');
    my $made =
        $kind eq 'l' ? IO::Socket::INET->new(%here, Listen => 9)
      : $kind eq 'u' ? IO::Socket::INET->new(%here, Proto => 'tcp')
      : $kind eq 'd' ? IO::Socket::INET->new(%here, Proto => 'udp')
      : $kind eq 'x' ? IO::Socket::UNIX->new(Local => "inherited.$$", Listen => 9)
      :                IO::File->new('/dev/null', 'r');
    die "$kind: $!" unless $made;
    push @made, $made;
    push @ports, $kind =~ /[lud]/ ? $made->sockport : 0;
}
open my $out, '>', 'ports.new' or die "ports: $!";
print $out "@ports\n";
close $out;
rename 'ports.new', 'ports';
my $client = $ENV{CALLED} && (IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $ports[0]) // die "call: $!");
my @high = map { fcntl($_, F_DUPFD, 60) // die "dup: $!" } @made;
my $kept = $client && (fcntl($client, F_DUPFD, 60) // die "dup: $!");
POSIX::dup2($high[$_], 3 + $_) // die "dup2: $!" for 0 .. $#high;
for my $fd (3 + @made .. 99) {
    POSIX::close($fd) unless $kept && $fd == $kept;
}
$ENV{LISTEN_FDS} = @made;
$ENV{LISTEN_PID} = $ENV{WRONG_PID} // $$;
$ENV{LISTEN_FDNAMES} = $ENV{NAMES} if defined $ENV{NAMES};
delete @ENV{qw(WRONG_PID NAMES CALLED)};
exec @command or die "$command[0]: $!";
