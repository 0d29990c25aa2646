#!/usr/bin/env python3
"""uncovered.py SHOWN - what no test runs, by reason, as a table for docs/reliability.md.

SHOWN is the output of `llvm-cov show -show-branches=count`. A branch has the reason of its line, by the patterns below, the first
that matches; a line that is never run has that of the branch before it which never goes there.
"""
import collections
import re
import sys

REASONS = [
    (r"\bswitch \(", "the branch of a `switch` for a value that is none of its enum, where a missing case does not compile"),
    (r"alloc\(|strdup|strndup|words_(split|replace)|env_(init|put|restore|set)|heap_init|table_(init|add|put)|ENOMEM|\"malloc\"|"
     r"put_env|ucspi_[a-z]+\(|redis_room|spawn_record",
     "memory that is refused: `make torture` has each allocation fail in turn (`--faults alloc`)"),
    (r"\berrno\b|\berr [=!]=|->err\b|\.err\b|error ==", "an error of a call besides those that tests inject"),
    (r"\b(fd|null|done|n|got|failed|pid|child|slave|master|ready|status|copy|signals|pidfd)\b *(<|>|==|!=|>=|<=) *-?[01]\b|< 0|>= 0|== 0|"
     r"== -1|!= 0|fopen|opendir",
     "a system call that fails where no test has it fail: `make torture` tries each call of the main uses"),
    (r"clock_|deadline|until|late\b|TIMEDOUT", "a deadline or a pause that ends at that very moment"),
    (r"\b(for|while) \(", "a loop that ends by another of its conditions"),
    (r"", "a state that takes two processes at one instant, another machine or kernel, or is only guarded against"),
]


def reason_of(text):
    return next(reason for pattern, reason in REASONS if re.search(pattern, text))


def count(shown):
    lines, branches = collections.Counter(), collections.Counter()
    texts, last = {}, REASONS[-1][1]
    for row in shown:
        if re.match(r"\S.*:$", row):
            texts, last = {}, REASONS[-1][1]
            continue
        line = re.match(r" *(\d+)\| *([^|]*)\|(.*)", row)
        branch = re.search(r"Branch \((\d+):\d+\): \[True: ([^,]+), False: ([^\]]+)\]", row)
        if line:
            texts[line[1]] = line[3]
            lines[last] += line[2].strip() == "0"
        elif branch:
            missed = (branch[2] == "0") + (branch[3] == "0")
            if missed:
                reason = reason_of(texts.get(branch[1], ""))
                branches[reason] += missed
                if (branch[2] != "0" or branch[3] != "0") and reason != REASONS[0][1]:
                    last = reason
    return lines, branches


def main():
    with open(sys.argv[1], errors="replace") as f:
        lines, branches = count(f)
    print("| what nothing runs, and why | lines | branches |\n|---|---|---|")
    for _, reason in REASONS:
        if lines[reason] or branches[reason]:
            print(f"| {reason} | {lines[reason]} | {branches[reason]} |")


if __name__ == "__main__":
    main()
