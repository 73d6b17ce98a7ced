package nearest

import "testing"

func TestAmong(t *testing.T) {
	t.Parallel()
	types := []string{
		"cloudify.nodes.Compute", "cloudify.nodes.Root", "cloudify.nodes.Container", "web_server", "db", "aws.nodes.VPC",
	}
	for word, want := range map[string]string{
		"cloudify.nodes.compute": "cloudify.nodes.Compute",
		"cloudify.nodes.Compte":  "cloudify.nodes.Compute",
		"Compute":                "cloudify.nodes.Compute",
		"web_sevrer":             "web_server",
		"WEB_SERVER":             "web_server",
		"ns--db":                 "",
		"ns--web_server":         "web_server",
		"entirely.different":     "",
		"":                       "",
		"dbb":                    "db",
	} {
		if got, _ := Among(word, types); got != want {
			t.Errorf("Among(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestHint(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"tpye":  "did you mean 'type'?",
		"zzzzz": "there is: properties, type",
	} {
		if got := Hint(word, []string{"type", "properties"}); got != want {
			t.Errorf("Hint(%q) = %q, want %q", word, got, want)
		}
	}
}
