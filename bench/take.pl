#!/usr/bin/perl
# take.pl KEY PROG [ARG...] - perlipc's take and give around a program, with SEM_UNDO: semop, exec.
use strict;
use warnings;
use IPC::SysV qw(SEM_UNDO);

my $id = semget(shift, 0, 0) // die "semget: $!";
semop($id, pack 's!s!s! s!s!s!', 0, 0, SEM_UNDO, 0, 1, SEM_UNDO) or die "semop: $!";
exec {$ARGV[0]} @ARGV or die "exec: $!";
