# ratios.gp - the ratios of a benchmark as a plot: gnuplot -e "data='FILE'; picture='FILE.svg'" ratios.gp
#
# FILE has a line PART|LABEL|RATIO|MIN|MAX|GOAL|AGAINST for each ratio, as table.awk writes it. GOAL may be empty.
# AGAINST says what was compared with LABEL, where a part has more than one table; it may be missing. A line PART|TITLE
# before those of a part is its heading, which is its number otherwise.

if (!exists("data") || !exists("picture")) {
    print "usage: gnuplot -e \"data='FILE'; picture='FILE.svg'\" ratios.gp"
    exit status 100
}

# pixels: a row, the picture, what is around the plot
row = 18.0
width = 980.0
left = 320.0
right = 78.0
above = 106.0
below = 44.0

colours = "#3b6ea5 #1a7f4b #c8371b" # no goal, met, missed
grey = "#6b6b6b"

# ---- rows, from above: a y of -1, -2 ... each ----

field(n) = (rest = line . "||||||", (n > 1 ? sum [i = 1:n - 1] (rest = rest[strstrt(rest, "|") + 1:*], 0) : 0), \
    (bar = strstrt(rest, "|"), bar > 1 ? rest[1:bar - 1] : ""))
number(text) = strlen(text) ? real(text) : NaN

y = 0.0
part = ""
heading = ""
against = ""
least = 0.5
most = 2.0
text = system("cat '" . data . "'") . "\n"
set print $ratios
print "0|0|0|0|0|-1"
unset print
while (strstrt(text, "\n")) {
    line = text[1:strstrt(text, "\n") - 1]
    text = text[strstrt(text, "\n") + 1:*]
    if (field(1) ne part) {
        part = field(1)
        against = ""
        heading = part . ". " . (strlen(field(3)) ? "" : field(2))
    }
    if (!strlen(field(3))) { continue }
    if (strlen(heading)) {
        y = y - 1.45
        set arrow from screen 8 / width, first y + 0.8 to screen (width - 8) / width, first y + 0.8 nohead \
            linecolor rgb "#d0d0d0" linewidth 1 front
        set label heading at screen 8 / width, first y left font ",12" textcolor rgb "black" front boxed
        heading = ""
    }
    if (field(7) ne against) {
        against = field(7)
        y = y - 1
        set label against at screen 20 / width, first y left font ",11" textcolor rgb grey
    }
    y = y - 1
    ratio = real(field(3))
    goal = number(field(6))
    kind = goal != goal ? 0 : ratio >= goal ? 1 : 2
    set label field(2) at screen (left - 8) / width, first y right font ",11" textcolor rgb "black"
    set label sprintf("%.2f x", ratio) at screen (width - 10) / width, first y right font ",11" \
        textcolor rgb word(colours, kind + 1)
    set print $ratios append
    print sprintf("%g|%g|%g|%g|%g|%d", ratio, y, real(field(4)), real(field(5)), goal, kind)
    unset print
    least = real(field(4)) < least ? real(field(4)) : least
    most = real(field(5)) > most ? real(field(5)) : most
}

# ---- the picture ----

height = above + below + row * (1.3 - y)
set terminal svg size width, int(height) noenhanced background "#ffffff" font "sans-serif,11" linewidth 1
set output picture

set lmargin at screen left / width
set rmargin at screen 1 - right / width
set tmargin at screen 1 - above / height
set bmargin at screen below / height

set datafile separator "|"
set border 5 linecolor rgb "#b0b0b0"
set yrange [y - 0.8:0.5]
unset ytics
set logscale x 10
set xrange [least / 1.1:most * 1.1]
ticks = "0.05 0.1 0.2 0.5 1 2 5 10 20 50 100 200"
set xtics () scale 0 font ",11" textcolor rgb grey
do for [i = 1:words(ticks)] { set xtics add (word(ticks, i) real(word(ticks, i))) }
set logscale x2 10
set x2range [least / 1.1:most * 1.1]
set x2tics () scale 0 font ",11" textcolor rgb grey
do for [i = 1:words(ticks)] { set x2tics add (word(ticks, i) real(word(ticks, i))) }
set grid xtics linecolor rgb "#e4e4e4" linetype 1 linewidth 1
set arrow from 1, graph 0 to 1, graph 1 nohead linecolor rgb "#404040" linewidth 1.5 back

set label "How many times as good: a rate, or the time for the same work; 1 is the same." \
    at screen 8 / width, screen 1 - 18 / height left font ",14" textcolor rgb "black"
set label "Each round gives a ratio of neighbouring turns. Dot: the median. Line: from the least to the greatest." \
    at screen 8 / width, screen 1 - 38 / height left font ",11" textcolor rgb grey
unset key
names = "'no goal' 'goal met' 'goal missed' 'the goal'"
do for [i = 1:4] {
    at = 8 + 92 * i - 84 + (i == 4 ? 16 : 0)
    if (i < 4) {
        set label "●" at screen at / width, screen 1 - 58 / height left font ",10" textcolor rgb word(colours, i)
    }
    if (i == 4) { set label "◇" at screen at / width, screen 1 - 58 / height left font ",12" }
    set label word(names, i) at screen (at + 14) / width, screen 1 - 58 / height left font ",11" \
        textcolor rgb grey
}

set bars 0
set style textbox opaque noborder fillcolor rgb "#ffffff" margins 0.2, 0.2
plot $ratios using 5:2 with points pointtype 12 pointsize 0.7 linecolor rgb "black", \
    for [i = 0:2] "" using ($6 == i ? $1 : NaN):2:3:4 with xerrorbars pointtype 7 pointsize 0.7 linewidth 1.5 \
        linecolor rgb word(colours, i + 1)
unset output
