// Package nearest finds the name that somebody probably meant.
package nearest

import (
	"fmt"
	"slices"
	"strings"
)

// tries bounds how many candidates are compared, so that a hint in a huge
// blueprint costs no more than the error it belongs to.
const tries = 5000

// Among returns the candidate that is closest to word, if one is close enough
// to be a slip: a few letters wrong, another case, or a missing or superfluous
// prefix. Of several, the first in text order wins.
func Among(word string, candidates []string) (string, bool) {
	if word == "" || len(word) > 200 {
		return "", false
	}
	limit := len(word)/4 + 1
	best, distance := "", limit+1
	sorted := slices.Clone(candidates)
	if len(sorted) > tries {
		sorted = sorted[:tries]
	}
	slices.Sort(sorted)
	for _, c := range sorted {
		if c == word {
			continue
		}
		if d := apart(word, c, distance); d < distance {
			best, distance = c, d
		}
	}
	return best, best != ""
}

// apart is how far two names are from each other; limit or more means too far.
func apart(a, b string, limit int) int {
	if strings.EqualFold(a, b) {
		return 0
	}
	// cloudify.nodes.Compute for Compute, ns--web for web
	if short, long := a, b; len(short) >= 3 && lastPart(long) == short || lastPart(short) == long && len(long) >= 3 {
		return 1
	}
	if diff := len(a) - len(b); diff >= limit || -diff >= limit {
		return limit
	}
	return distance(strings.ToLower(a), strings.ToLower(b))
}

func lastPart(name string) string {
	if i := strings.LastIndexAny(name, ".-:/"); i >= 0 {
		return name[i+1:]
	}
	return name
}

// distance counts the letters to insert, drop, change or swap.
func distance(a, b string) int {
	before := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	now := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}

// Hint is what to tell somebody who wrote word: the name that was probably
// meant or, failing that, what there is if that is little. It is "" if there is
// nothing useful to say.
func Hint(word string, candidates []string) string {
	if meant, ok := Among(word, candidates); ok {
		return fmt.Sprintf("did you mean '%s'?", meant)
	}
	switch n := len(candidates); {
	case n == 0:
		return ""
	case n <= 12:
		sorted := slices.Clone(candidates)
		slices.Sort(sorted)
		return "there is: " + strings.Join(sorted, ", ")
	}
	return ""
}
