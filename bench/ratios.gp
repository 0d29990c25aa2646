# ratios.gp - the ratios of a benchmark as a plot: gnuplot -e "data='FILE'; picture='FILE.svg'" ratios.gp
