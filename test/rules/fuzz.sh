#!/usr/bin/env bash
# fuzz.sh TIME runs every fuzz target there is for TIME each, and ends with the
# first that fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
time=${1:?usage: fuzz.sh TIME}
go=${GO:-go}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Before Go 1.27 a target that is still at work when its time is up is now and
# then a failure, with nothing but the deadline as its reason (golang.org/issue/75804).
only_time_was_up() {
	[[ $(grep -c -e '--- FAIL' "$log") == 1 ]] &&
		[[ $(grep -A 1 -e '^--- FAIL' "$log" | tail -n 1) == '    context deadline exceeded' ]]
}

# Go tries for a minute to make an input smaller that reaches new code, and its time is up
# meanwhile: a reader of files came to 11 inputs in 15 s, and to 3,900 in 10 s with a bound.
minimize=10x

for dir in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r -n 1 dirname | sort -u); do
	targets=$("$go" test -list '^Fuzz' "$dir")
	for target in $(grep '^Fuzz' <<<"$targets"); do
		echo "$go test -fuzz $target -fuzztime $time $dir"
		if ! "$go" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime "$minimize" "$dir" 2>&1 | tee "$log"; then
			only_time_was_up || exit 1
			echo "$target found nothing until its time was up"
		fi
	done
done
