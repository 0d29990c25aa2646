#!/usr/bin/perl
# takecore.pl KEY [give] - perlipc's files take and give, as short as they are there: without any module.
my ($key, $gives) = @ARGV;
my $id = semget($key, 0, 0) // die "semget: $!";
semop($id, $gives ? pack('s!s!s!', 0, -1, 0) : pack('s!s!s! s!s!s!', 0, 0, 0, 0, 1, 0)) or die "semop: $!";
