#!/usr/bin/perl
# take.pl KEY [PROG [ARG...]] - perlipc's take and give with IPC::SysV: around a program, with SEM_UNDO, semop and
# exec; without one, take and then give.
use strict;
use warnings;
use IPC::SysV qw(IPC_NOWAIT SEM_UNDO);

my $id = semget(shift, 0, 0) // die "semget: $!";
my $undo = @ARGV ? SEM_UNDO : 0;
semop($id, pack 's!s!s! s!s!s!', 0, 0, $undo, 0, 1, $undo) or die "semop: $!";
exec {$ARGV[0]} @ARGV or die "exec: $!" if @ARGV;
semop($id, pack 's!s!s!', 0, -1, IPC_NOWAIT) or die "semop: $!";
