package yaml

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// resolve gives the value of a scalar. tag is the explicit tag, "" without.
func resolve(text string, isQuoted bool, tag string) (any, error) {
	switch tag {
	case "":
		if isQuoted {
			return text, nil
		}
		return plain(text)
	case "!", "!!str":
		return text, nil
	case "!!null":
		return nil, nil
	case "!!bool":
		b, ok := boolean(strings.ToLower(text))
		if !ok {
			return nil, fmt.Errorf("%q is not a boolean", text)
		}
		return b, nil
	case "!!int":
		return integer(text)
	case "!!float":
		return float(text)
	case "!!timestamp":
		if !isTimestamp(text) {
			return nil, fmt.Errorf("%q is not a timestamp", text)
		}
		return timestamp(text)
	case "!!binary":
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, fmt.Errorf("failed to decode base64 data: %w", err)
		}
		return string(data), nil
	}
	return nil, fmt.Errorf("could not determine a constructor for the tag %s", tag)
}

// plain resolves text without quotes or tag. The first character rules most
// out, as in YAML 1.1.
func plain(text string) (any, error) {
	if text == "" || text == "~" {
		return nil, nil
	}
	switch c := text[0]; {
	case c == '-' || c == '+' || c == '.' || c >= '0' && c <= '9':
		return number(text)
	case c == '=' && len(text) == 1:
		return nil, fmt.Errorf("a lone = must be quoted")
	case c == '<' && text == "<<":
		return nil, fmt.Errorf("<< can only be a key")
	case text == "null" || text == "Null" || text == "NULL":
		return nil, nil
	}
	if b, ok := boolean(text); ok {
		return b, nil
	}
	return text, nil
}

func boolean(text string) (value, ok bool) {
	switch text {
	case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON":
		return true, true
	case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF":
		return false, true
	}
	return false, false
}

func number(text string) (any, error) {
	switch {
	case isFloat(text):
		return float(text)
	case isInteger(text):
		return integer(text)
	}
	if isTimestamp(text) {
		return timestamp(text)
	}
	return text, nil
}

func unsigned(text string) string {
	if text[0] == '-' || text[0] == '+' {
		return text[1:]
	}
	return text
}

// span cuts the longest start of s that consists of characters of set.
func span(s, set string) (head, rest string) {
	i := 0
	for i < len(s) && strings.IndexByte(set, s[i]) >= 0 {
		i++
	}
	return s[:i], s[i:]
}

const digits = "0123456789"

// digitsAndUnderscores cuts a decimal digit and what follows of digits and underscores.
func digitsAndUnderscores(s string) (head, rest string) {
	if s == "" || strings.IndexByte(digits, s[0]) < 0 {
		return "", s
	}
	return span(s, digits+"_")
}

func isFloat(text string) bool {
	s := unsigned(text)
	signed := len(s) != len(text)
	switch {
	case s == ".inf" || s == ".Inf" || s == ".INF":
		return true
	case text == ".nan" || text == ".NaN" || text == ".NAN":
		return true
	case s == "":
		return false
	case s[0] == '.':
		head, rest := digitsAndUnderscores(s[1:])
		return !signed && head != "" && isExponent(rest)
	}
	head, rest := digitsAndUnderscores(s)
	if head == "" || rest == "" {
		return false
	}
	if rest[0] == '.' {
		_, rest = span(rest[1:], digits+"_")
		return isExponent(rest)
	}
	rest, ok := sixties(rest)
	if !ok || rest == "" || rest[0] != '.' {
		return false
	}
	_, rest = span(rest[1:], digits+"_")
	return rest == ""
}

// isExponent tells whether s is empty or an exponent; its sign is mandatory.
func isExponent(s string) bool {
	if s == "" {
		return true
	}
	if len(s) < 3 || s[0] != 'e' && s[0] != 'E' || s[1] != '-' && s[1] != '+' {
		return false
	}
	_, rest := span(s[2:], digits)
	return rest == ""
}

// sixties cuts one or more groups :0 to :59 off the start of s.
func sixties(s string) (rest string, ok bool) {
	for s != "" && s[0] == ':' {
		group, after := span(s[1:], digits)
		if len(group) == 0 || len(group) > 2 || len(group) == 2 && group[0] > '5' {
			return s, false
		}
		s, ok = after, true
	}
	return s, ok
}

func isInteger(text string) bool {
	s := unsigned(text)
	if s == "" {
		return false
	}
	all := func(s, set string) bool {
		_, rest := span(s, set)
		return s != "" && rest == ""
	}
	switch {
	case s == "0":
		return true
	case strings.HasPrefix(s, "0b"):
		return all(s[2:], "01_")
	case strings.HasPrefix(s, "0x"):
		return all(s[2:], "0123456789abcdefABCDEF_")
	case s[0] == '0':
		return all(s[1:], "01234567_")
	case s[0] < '1' || s[0] > '9':
		return false
	}
	_, rest := span(s, digits+"_")
	if rest == "" {
		return true
	}
	rest, ok := sixties(rest)
	return ok && rest == ""
}

func integer(text string) (any, error) {
	s := strings.ReplaceAll(text, "_", "")
	negative := strings.HasPrefix(s, "-")
	if s != "" {
		s = unsigned(s)
	}
	n := new(big.Int)
	ok := true
	switch {
	case strings.HasPrefix(s, "0b"):
		_, ok = n.SetString(s[2:], 2)
	case strings.HasPrefix(s, "0x"):
		_, ok = n.SetString(s[2:], 16)
	case len(s) > 1 && s[0] == '0':
		_, ok = n.SetString(s, 8)
	case strings.Contains(s, ":"):
		for _, part := range strings.Split(s, ":") {
			digit, good := new(big.Int).SetString(part, 10)
			if !good {
				ok = false
				break
			}
			n.Add(n.Mul(n, big.NewInt(60)), digit)
		}
	default:
		if v, err := strconv.ParseInt(s, 10, 64); err == nil {
			if negative {
				v = -v
			}
			return v, nil
		}
		if len(s) > 4300 {
			return nil, fmt.Errorf("the number has more than 4300 digits")
		}
		_, ok = n.SetString(s, 10)
	}
	if !ok || s == "" || s[0] == '-' || s[0] == '+' {
		return nil, fmt.Errorf("%q is not an integer", text)
	}
	if negative {
		n.Neg(n)
	}
	if n.IsInt64() {
		return n.Int64(), nil
	}
	return n, nil
}

func float(text string) (any, error) {
	s := strings.ToLower(strings.ReplaceAll(text, "_", ""))
	sign := 1.0
	if s != "" && (s[0] == '-' || s[0] == '+') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	switch {
	case s == ".inf":
		return math.Inf(int(sign)), nil
	case s == ".nan":
		return math.NaN(), nil
	case strings.Contains(s, ":"):
		total := 0.0
		for _, part := range strings.Split(s, ":") {
			f, err := strconv.ParseFloat(part, 64)
			if err != nil {
				return nil, fmt.Errorf("%q is not a number", text)
			}
			total = total*60 + f
		}
		return sign * total, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, fmt.Errorf("%q is not a number", text)
	}
	return sign * f, nil
}

// isTimestamp tells whether text has the form 2001-12-14 or
// 2001-12-14 21:59:43.10 -05:30; it may still be a date that does not exist.
func isTimestamp(text string) bool {
	if len(text) < 10 && strings.Count(text, ":") < 2 || len(text) < 8 || text[4] != '-' {
		return false
	}
	if len(text) == 10 && matches(text, "dddd-dd-dd") {
		return true
	}
	date, clock, zone, ok := cutTimestamp(text)
	hms, fraction, _ := strings.Cut(clock, ".")
	if _, rest := span(fraction, digits); rest != "" || !ok {
		return false
	}
	return matches(date, "dddd-dd-dd", "dddd-d-dd", "dddd-dd-d", "dddd-d-d") &&
		matches(hms, "dd:dd:dd", "d:dd:dd") &&
		(zone == "" || zone == "Z" || matches(strings.Replace(zone, "+", "-", 1), "-d", "-dd", "-d:dd", "-dd:dd"))
}

// matches tells whether text looks like one of the shapes, d being a digit.
func matches(text string, shapes ...string) bool {
	for _, shape := range shapes {
		same := len(text) == len(shape)
		for i := 0; same && i < len(shape); i++ {
			isDigit := text[i] >= '0' && text[i] <= '9'
			same = shape[i] == 'd' && isDigit || shape[i] == text[i]
		}
		if same {
			return true
		}
	}
	return false
}

func cutTimestamp(text string) (date, clock, zone string, ok bool) {
	i := strings.IndexAny(text, "Tt \t")
	if i < 0 {
		return "", "", "", false
	}
	date, clock = text[:i], text[i+1:]
	if text[i] == ' ' || text[i] == '\t' {
		clock = strings.TrimLeft(clock, " \t")
	}
	if i := strings.IndexAny(clock, "Z+- \t"); i >= 0 {
		clock, zone = clock[:i], strings.TrimLeft(clock[i:], " \t")
	}
	return date, clock, zone, true
}

// timestamp gives the text that Python shows for a text of that form.
func timestamp(text string) (any, error) {
	date, clock, zone, long := cutTimestamp(text)
	if !long {
		t, err := time.Parse("2006-01-02", text)
		if err != nil || t.Year() == 0 {
			return nil, fmt.Errorf("%q is not a date", text)
		}
		return Timestamp(text), nil
	}
	hms, fraction, _ := strings.Cut(clock, ".")
	t, err := time.Parse("2006-1-2 15:04:05", date+" "+hms)
	if err != nil || t.Year() == 0 {
		return nil, fmt.Errorf("%q is not a point in time", text)
	}
	shown := t.Format("2006-01-02 15:04:05")
	if micro := (fraction + "000000")[:6]; micro != "000000" {
		shown += "." + micro
	}
	return Timestamp(shown + zoneText(zone)), nil
}

func zoneText(zone string) string {
	switch zone {
	case "":
		return ""
	case "Z":
		return "+00:00"
	}
	hours, minutes, _ := strings.Cut(zone[1:], ":")
	return fmt.Sprintf("%c%02s:%02s", zone[0], hours, minutes)
}
