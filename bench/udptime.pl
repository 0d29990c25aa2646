#!/usr/bin/perl
# udptime.pl PORT HOST... - perlipc's udptime: all are asked, then the answers are waited for. The room for these is
# that of ipcbox's udptime; an answer is told by its address, without perlipc's look-up of a name for that.
use strict;
use warnings;
use Socket;

my ($port, @hosts) = @ARGV;
my $SECS_OF_70_YEARS = 2_208_988_800;
socket(my $socket, PF_INET, SOCK_DGRAM, getprotobyname('udp')) or die "socket: $!";
my ($force, $room) = (33, 4 << 20);    # SO_RCVBUFFORCE
setsockopt($socket, SOL_SOCKET, $force, pack 'i', $room) or setsockopt($socket, SOL_SOCKET, SO_RCVBUF, pack 'i', $room);
my $count = 0;
for my $host (@hosts) {
    $count++;
    my $address = inet_aton($host) or die "unknown host $host";
    defined send($socket, '', 0, pack_sockaddr_in($port, $address)) or die "send $host: $!";
}
my $rin = '';
vec($rin, fileno $socket, 1) = 1;
while ($count && select(my $rout = $rin, undef, undef, 10.0)) {
    my $from = recv($socket, my $rtime = '', 4, 0) or die "recv: $!";
    my ($from_port, $address) = unpack_sockaddr_in($from);
    my $histime = unpack('N', $rtime) - $SECS_OF_70_YEARS;
    printf "%-12s %8d %s\n", inet_ntoa($address), $histime - time, scalar localtime $histime;
    $count--;
}
exit($count > 0);
