package compile

import "strconv"

func itoa(i int) string { return strconv.Itoa(i) }

func atoi(s string) (int, bool) {
	i, err := strconv.Atoi(s)
	return i, err == nil && i >= 0
}
