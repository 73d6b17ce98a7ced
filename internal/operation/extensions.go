package operation

import "fmt"

// ExtensionsPlugin is the plugin of the types that come with the manager:
// components, shared resources, blueprints and passwords as nodes.
const ExtensionsPlugin = "cfy_extensions"

// Extensions runs the operations of ExtensionsPlugin. They wait for executions of
// other deployments, whose operations need places; if those that wait took some,
// enough of them would wait for each other without an end.
type Extensions struct{ Runner }

var _ Waiter = Extensions{}

// EndsWithCancel implements Waiter: what is waited for is cancelled, too, and has
// an end.
func (Extensions) EndsWithCancel() bool { return false }

// WaitsFor implements Waiter.
func (Extensions) WaitsFor(req *Request) string {
	return fmt.Sprintf("%s: it works on another deployment, see cfy deployments list and the log,", req.Self.InstanceID)
}
