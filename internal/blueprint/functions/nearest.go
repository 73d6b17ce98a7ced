package functions

import "strings"

// nearest words a hint that names what was probably meant, or what there is.
func nearest(name string, known []string) string {
	best, distance := "", len(name)/2+1
	for _, k := range known {
		if d := edits(name, k, distance); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	if len(known) == 0 {
		return "there are none"
	}
	if len(known) > 10 {
		known = append(append([]string{}, known[:10]...), "...")
	}
	return "known are: " + strings.Join(known, ", ")
}

// edits is the number of letters to insert, remove or replace between a and b;
// counting stops at limit.
func edits(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		corner := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := corner
			if a[i-1] != b[j-1] {
				cost = 1 + min(corner, row[j], row[j-1])
			}
			corner, row[j] = row[j], cost
		}
	}
	return row[len(b)]
}
