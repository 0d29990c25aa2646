#!/usr/bin/perl
# queue.pl send KEY [TEXT] | receive KEY | follow KEY - perlipc's msgsnd and msgrcv: one message, or a line of stdin
# each; one to stdout, or one after the other.
use strict;
use warnings;

my ($what, $key, $text) = @ARGV;
my $id = msgget($key, 0) // die "msgget: $!";
if ($what eq 'send') {
    if (defined $text) {
        msgsnd($id, pack('l! a*', 1, $text), 0) or die "msgsnd: $!";
        exit;
    }
    while (my $line = <STDIN>) {
        chomp $line;
        msgsnd($id, pack('l! a*', 1, $line), 0) or die "msgsnd: $!";
    }
    exit;
}
$| = 1;
do {
    msgrcv($id, my $message, 8192, 0, 0) or die "msgrcv: $!";
    my ($type, $line) = unpack 'l! a*', $message;
    print "$line\n";
} while $what eq 'follow';
