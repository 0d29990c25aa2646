# table.awk - a table of medians, and of the medians and the spread of the ratios between two contestants.
#
#     awk -v dir=DIR -v base=NAME -v subject=base|row -v main=rate|time -f table.awk ROWS
#
# ROWS holds lines NAME|GOAL|LABEL. DIR/main.NAME has one value a round: a rate, where more is better, or seconds;
# DIR/cpu.NAME CPU time, one value or one a round. A ratio is taken within a round, and says how many times
# as good the subject is as what it is compared with: base as each row, or each row as base.

function sort(v, n,    i, j, t)
{
    for (i = 2; i <= n; i++) {
        t = v[i]
        for (j = i - 1; j > 0 && v[j] > t; j--)
            v[j + 1] = v[j]
        v[j + 1] = t
    }
}

function median(v, n)
{
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}

# The values of a file into v[1..n]
function values(file, v,    n, line)
{
    n = 0
    while ((getline line <file) > 0)
        v[++n] = line + 0
    close(file)
    return n
}

# The ratios of two files into v[1..n], sorted
function ratios(kind, row, v,    a, b, n, m, i, better)
{
    n = values(dir "/" kind "." base, a)
    m = values(dir "/" kind "." row, b)
    for (i = 1; i <= n && i <= m; i++) {
        better = kind == "main" && main == "rate" ? a[i] / b[i] : b[i] / a[i]
        v[i] = subject == "base" ? better : 1 / better
    }
    sort(v, i - 1)
    return i - 1
}

function shown(kind, row,    v, n)
{
    n = values(dir "/" kind "." row, v)
    if (!n)
        return "-"
    sort(v, n)
    return sprintf(main == "rate" ? "%.0f" : "%.3f", median(v, n))
}

BEGIN {
    FS = "|"
    printf "  %-34s %10s %10s %15s %12s %8s  %s\n", "", main == "rate" ? "per second" : "seconds",
        subject == "base" ? "ipcbox is" : "it is", "(min - max)", main == "rate" ? "CPU us each" : "CPU seconds",
        subject == "base" ? "ipcbox" : "it is", "goal"
}

{
    printf "  %-34s %10s", $3, shown("main", $1)
    if ($1 == base) {
        printf " %10s %15s %12s\n", "", "", shown("cpu", $1)
        next
    }
    n = ratios("main", $1, v)
    goal = $2 == "" ? "" : sprintf("%.2f: %s", $2, median(v, n) >= $2 + 0 ? "met" : "missed")
    printf " %8.2f x %15s %12s", median(v, n), sprintf("(%.2f - %.2f)", v[1], v[n]), shown("cpu", $1)
    n = ratios("cpu", $1, v)
    printf " %6s x  %s\n", n ? sprintf("%.2f", median(v, n)) : "-", goal
}
