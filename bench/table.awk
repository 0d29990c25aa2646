# table.awk - a table of medians, and of the medians and the spread of the ratios between two contestants.
#
#     awk -v dir=DIR -v base=NAME -v subject=base|row -v kind=main|tail -v unit=rate|time|us [-v names=NAMES]
#         [-v part=N -v plot=FILE] -f table.awk ROWS
#
# ROWS holds lines NAME|GOAL|LABEL; those of NAMES are shown, or all. DIR/main.NAME has one value a round: a rate, where
# more is better, or a time; DIR/cpu.NAME CPU time, one value or one a round. A ratio is taken within a round, and says
# how many times as good the subject is as what it is compared with: base as each row, or each row as base. A line
# PART|LABEL|RATIO|MIN|MAX|GOAL|AGAINST for each ratio is added to FILE: AGAINST says what LABEL was compared with.

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
        if (!a[i] || !b[i])
            return 0
        better = kind == "main" && unit == "rate" ? a[i] / b[i] : b[i] / a[i]
        v[i] = subject == "base" ? better : 1 / better
    }
    sort(v, i - 1)
    return i - 1
}

function shown(kind, row,    v, n, m)
{
    n = values(dir "/" kind "." row, v)
    if (!n)
        return "-"
    sort(v, n)
    m = median(v, n)
    return sprintf(unit == "time" ? "%.3f" : m < 10 ? "%.1f" : "%.0f", m)
}

BEGIN {
    FS = "|"
    split(names, list, " ")
    for (i in list)
        wanted[list[i]] = 1
    while ((getline line <ARGV[1]) > 0)
        if (split(line, field, "|") && field[1] == base)
            against = subject == "base" ? field[3] " against" : "against " field[3]
    value = unit == "rate" ? "per second" : unit == "us" ? "us" : "seconds"
    subject_is = subject == "base" ? (base ~ /static/ ? "static is" : "ipcbox is") : "it is"
    printf "  %-38s %10s %10s %15s", "", value, subject_is, "(min - max)"
    printf kind == "main" ? " %12s %9s  %s\n" : "%s%s  %s\n", kind == "main" ? unit == "rate" ? "CPU us each" : \
        "CPU seconds" : "", kind == "main" ? subject_is : "", "goal"
}

names != "" && !($1 in wanted) && $1 != base {
    next
}

{
    printf "  %-38s %10s", $3, shown(kind, $1)
    if ($1 == base) {
        printf kind == "main" ? " %10s %15s %12s\n" : "\n", "", "", shown("cpu", $1)
        next
    }
    n = ratios(kind, $1, v)
    m = n ? median(v, n) : 0
    goal = $2 == "" || kind != "main" ? "" : sprintf("%.2f: %s", $2, m >= $2 + 0 ? "met" : "missed")
    printf n ? " %8.2f x %15s" : " %10s %15s", n ? m : "-", n ? sprintf("(%.2f - %.2f)", v[1], v[n]) : ""
    if (plot && n)
        print part "|" $3 "|" m "|" v[1] "|" v[n] "|" $2 "|" against >>plot
    if (kind == "main") {
        n = ratios("cpu", $1, v)
        printf " %12s %7s x  %s", shown("cpu", $1), n ? sprintf("%.2f", median(v, n)) : "-", goal
    }
    printf "\n"
}
