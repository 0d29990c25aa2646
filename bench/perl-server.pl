#!/usr/bin/perl
# perl-server.pl - the forking TCP server that perlipc describes, grown to what tcpserver does for its programs.
#
#     perl perl-server.pl N PROG [ARG...]
#
# Listens on 127.0.0.1, prints the port, runs PROG at most N times at once, the connection as its stdin and stdout.
use strict;
use warnings;
use POSIX qw(WNOHANG);
use Socket;

my ($limit, @program) = @ARGV;
die "usage: perl-server.pl N PROG [ARG...]\n" unless @program;

my $running = 0;
$SIG{CHLD} = sub {
    local ($!, $?);
    $running-- while waitpid(-1, WNOHANG) > 0;
};

socket(my $server, PF_INET, SOCK_STREAM, getprotobyname('tcp')) or die "socket: $!\n";
setsockopt($server, SOL_SOCKET, SO_REUSEADDR, pack('l', 1)) or die "setsockopt: $!\n";
bind($server, pack_sockaddr_in(0, INADDR_LOOPBACK)) or die "bind: $!\n";
listen($server, SOMAXCONN) or die "listen: $!\n";
my ($port, $ip) = unpack_sockaddr_in(getsockname($server));
$| = 1;
print "$port\n";

for (;;) {
    if ($running >= $limit) {
        $running-- if waitpid(-1, 0) > 0;
        next;
    }
    my $from = accept(my $client, $server) or next;    # a signal came
    my $pid = fork();
    die "fork: $!\n" unless defined $pid;
    if ($pid) {
        $running++;
        close $client;
        next;
    }
    my ($remote_port, $remote_ip) = unpack_sockaddr_in($from);
    my ($local_port,  $local_ip)  = unpack_sockaddr_in(getsockname($client));
    @ENV{qw(PROTO TCPLOCALIP TCPLOCALPORT TCPREMOTEIP TCPREMOTEPORT)} =
        ('TCP', inet_ntoa($local_ip), $local_port, inet_ntoa($remote_ip), $remote_port);
    open STDIN,  '<&', $client or die "dup: $!\n";
    open STDOUT, '>&', $client or die "dup: $!\n";
    exec {$program[0]} @program or die "exec $program[0]: $!\n";
}
