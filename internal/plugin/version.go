package plugin

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// version is a PEP 440 version, taken apart.
type version struct {
	epoch   int
	release []int
	// pre orders what comes before and after the release: dev < a < b < rc <
	// release < post.
	pre, preN   int
	post        int // -1: none
	dev         int // -1: none
	local       string
	unparseable string
}

var versionForm = regexp.MustCompile(`(?i)^\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(a|alpha|b|beta|c|rc|pre|preview)[-_.]?(\d*))?` +
	`(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*$`)

const final = 4 // pre of a version that is no pre-release

func parseVersion(text string) version {
	m := versionForm.FindStringSubmatch(text)
	v := version{pre: final, post: -1, dev: -1}
	if m == nil {
		v.unparseable = text
		return v
	}
	v.epoch = number(m[1])
	for _, part := range strings.Split(m[2], ".") {
		v.release = append(v.release, number(part))
	}
	for len(v.release) > 1 && v.release[len(v.release)-1] == 0 {
		v.release = v.release[:len(v.release)-1]
	}
	switch strings.ToLower(m[3]) {
	case "":
	case "a", "alpha":
		v.pre = 1
	case "b", "beta":
		v.pre = 2
	default:
		v.pre = 3
	}
	v.preN = number(m[4])
	if m[5] != "" {
		v.post = number(m[5])
	} else if m[6] != "" {
		v.post = number(m[7])
	}
	if m[8] != "" {
		v.dev = number(m[9])
		if v.pre == final && v.post < 0 {
			v.pre = 0
		}
	}
	v.local = strings.ToLower(m[10])
	return v
}

// number reads digits; what does not fit is very large.
func number(digits string) int {
	n := 0
	for _, d := range digits {
		if n > 1<<50 {
			return n
		}
		n = n*10 + int(d-'0')
	}
	return n
}

// CompareVersions orders versions as PEP 440 does: negative if a is older than
// b. What is no such version is older than all that are.
func CompareVersions(a, b string) int {
	x, y := parseVersion(a), parseVersion(b)
	if x.unparseable != "" || y.unparseable != "" {
		return cmp.Or(cmp.Compare(min(len(y.unparseable), 1), min(len(x.unparseable), 1)), cmp.Compare(x.unparseable, y.unparseable))
	}
	return cmp.Or(x.public(y), cmp.Compare(x.local, y.local))
}

// public compares without what stands after a plus sign.
func (v version) public(w version) int {
	dev := func(v version) int {
		if v.dev < 0 {
			return 1 << 60 // a release comes after its development versions
		}
		return v.dev
	}
	return cmp.Or(
		cmp.Compare(v.epoch, w.epoch), slices.Compare(v.release, w.release),
		cmp.Compare(v.pre, w.pre), cmp.Compare(v.preN, w.preN), cmp.Compare(v.post, w.post), cmp.Compare(dev(v), dev(w)))
}

var specifierForm = regexp.MustCompile(`^\s*(===|==|~=|!=|<=|>=|<|>)?\s*([^\s,]+?)\s*$`)

// Satisfies tells whether a version fits all specifiers, such as >=1.0 and
// !=1.5.*; a bare version means exactly that one.
func Satisfies(text string, specifiers ...string) (bool, error) {
	v := parseVersion(text)
	for _, list := range specifiers {
		for _, s := range strings.Split(list, ",") {
			if strings.TrimSpace(s) == "" {
				continue
			}
			m := specifierForm.FindStringSubmatch(s)
			if m == nil {
				return false, fmt.Errorf("%q is no version specifier", s)
			}
			fits, err := v.fits(m[1], m[2], text)
			if err != nil || !fits {
				return false, err
			}
		}
	}
	return true, nil
}

func (v version) fits(operator, bound, text string) (bool, error) {
	if operator == "===" {
		return text == bound, nil
	}
	prefix, wild := strings.CutSuffix(bound, ".*")
	w := parseVersion(prefix)
	if w.unparseable != "" || wild && operator != "" && operator != "==" && operator != "!=" {
		return false, fmt.Errorf("%q is no version specifier", operator+bound)
	}
	if v.unparseable != "" {
		return false, nil
	}
	order := v.public(w)
	if w.local != "" {
		order = cmp.Or(order, cmp.Compare(v.local, w.local))
	}
	equal := order == 0
	if wild {
		equal = v.epoch == w.epoch && startsWith(v.release, prefix)
	}
	switch operator {
	case "", "==":
		return equal, nil
	case "!=":
		return !equal, nil
	case "<=":
		return order <= 0, nil
	case ">=":
		return order >= 0, nil
	case "<":
		sameRelease := slices.Equal(v.release, w.release) && w.pre == final
		return order < 0 && !(sameRelease && v.pre < final), nil
	case ">":
		return order > 0 && !(slices.Equal(v.release, w.release) && v.post >= 0 && w.post < 0), nil
	}
	// ~=2.2.1 means >=2.2.1 and ==2.2.*
	parts := strings.Split(bound, ".")
	if len(parts) < 2 {
		return false, fmt.Errorf("%q is no version specifier: ~= needs two numbers at least", operator+bound)
	}
	return order >= 0 && startsWith(v.release, strings.Join(parts[:len(parts)-1], ".")), nil
}

// startsWith tells whether a release begins with the numbers of prefix.
func startsWith(release []int, prefix string) bool {
	for i, part := range strings.Split(prefix, ".") {
		n := 0
		if i < len(release) {
			n = release[i]
		}
		if n != number(strings.TrimFunc(part, func(r rune) bool { return r < '0' || r > '9' })) {
			return false
		}
	}
	return true
}
