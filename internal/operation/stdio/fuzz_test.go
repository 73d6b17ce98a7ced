package stdio

import "testing"

// FuzzManifest reads manifests: whatever they say, one that is accepted can be
// run or refused.
func FuzzManifest(f *testing.F) {
	for _, seed := range []string{
		`{"name": "n", "version": "1", "description": "d", "protocol": 1, "command": ["bin/{os}-{arch}/x", "{folder}"]}`,
		`{"protocol": 1, "command": ["../x"]}`, `{"protocol": 1.0, "command": [""]}`, `[]`, `{"command": [["a"]]}`,
	} {
		f.Add([]byte(seed))
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		if m.Protocol != Protocol || len(m.Command) == 0 {
			t.Fatalf("accepted: %+v", m)
		}
		if argv, err := m.command(folder, []string{"PATH=/nowhere"}); err == nil {
			t.Fatalf("there is nothing to run, but %q is run", argv)
		}
	})
}
