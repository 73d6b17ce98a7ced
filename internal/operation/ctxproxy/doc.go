// Package ctxproxy lets a running operation use its context from outside the
// manager: the `ctx` command of scripts and the Python framework talk to it.
//
// A Server listens once, on loopback, for all operations of a manager. A
// Session is the context of one operation; while it is open it is reachable
// under a secret path of its own, the value of CTX_SOCKET_URL. A request is
// an HTTP POST with one of two bodies:
//
//	{"args": ["instance", "runtime-properties", "a.b", 1]}
//	{"method": "save_instance", "params": {"id": "web_1", "set": {"a": 1}}}
//
// The first walks the context object by the rules that scripts know (resolve.go),
// the second is what the Python framework uses (framework.go). Both are answered
// with status 200 and {"type": "result" | "stop_operation" | "error",
// "payload": ...}.
package ctxproxy
