package workflow

import (
	"testing"

	"windlass/internal/value"
)

// The map that is written by hand has what encoding the payload would give.
func TestContextHasAllOfThePayload(t *testing.T) {
	t.Parallel()
	for _, p := range []OperationPayload{
		{Operation: "a.b", Plugin: "p", Implementation: "i", InstanceID: "x_1", NodeID: "x"},
		{
			Operation: "a.b", Plugin: "p", Implementation: "i", Executor: "e", HasFunctions: true, InstanceID: "x_1", NodeID: "x",
			Related: &Related{InstanceID: "y_1", NodeID: "y", IsTarget: true}, Timeout: 1.5, TimeoutRecoverable: true,
		},
	} {
		want, err := value.Of(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := encodeContext(&p); !value.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	}
}
