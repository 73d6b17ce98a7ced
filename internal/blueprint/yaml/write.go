package yaml

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	goyaml "go.yaml.in/yaml/v4"
)

// Write gives the text of a document, which Load reads back as the same values
// in the same order. Aliases are written out.
func Write(n *Node) ([]byte, error) {
	return goyaml.Dump(written(n), goyaml.WithIndent(2))
}

func written(n *Node) *goyaml.Node {
	switch {
	case n == nil:
		return &goyaml.Node{Kind: goyaml.ScalarNode, Value: "null"}
	case n.Kind == Mapping:
		y := &goyaml.Node{Kind: goyaml.MappingNode}
		if len(n.Pairs) == 0 {
			y.Style = goyaml.FlowStyle
		}
		for _, p := range n.Pairs {
			y.Content = append(y.Content, written(p.Key), written(p.Value))
		}
		return y
	case n.Kind == Sequence:
		y := &goyaml.Node{Kind: goyaml.SequenceNode}
		if len(n.Items) == 0 {
			y.Style = goyaml.FlowStyle
		}
		for _, item := range n.Items {
			y.Content = append(y.Content, written(item))
		}
		return y
	}
	y := &goyaml.Node{Kind: goyaml.ScalarNode}
	switch t := n.Value.(type) {
	case nil:
		y.Value = "null"
	case bool:
		y.Value = strconv.FormatBool(t)
	case int64:
		y.Value = strconv.FormatInt(t, 10)
	case *big.Int:
		y.Value = t.String()
	case float64:
		y.Value = floatText(t)
	case Timestamp:
		y.Value = string(t)
	case string:
		y.Value, y.Tag = t, "!!str"
		if !isSafe(t) {
			y.Style = goyaml.DoubleQuotedStyle
		}
	}
	return y
}

// isSafe tells whether a text can do without quotes.
func isSafe(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '.' || c == '-' || c == '/'):
		default:
			return false
		}
	}
	v, err := plain(text)
	s, isText := v.(string)
	return err == nil && isText && s == text && text != ""
}

func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return ".nan"
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	mantissa, exponent, scientific := strings.Cut(s, "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	if scientific {
		return mantissa + "e" + exponent
	}
	return mantissa
}
