package ctxproxy

import (
	"context"

	"windlass/internal/value"
)

// answer performs one request and returns the reply's body.
func (s *Session) answer(ctx context.Context, body []byte) []byte {
	request, err := value.Decode(body)
	if err != nil {
		return errorReply(failf("JSONDecodeError", "the request is not JSON: %s", err))
	}
	r, ok := request.(map[string]any)
	if !ok {
		return errorReply(failf(typeError, "the request must be an object, not %s", value.TypeName(request)))
	}
	return s.Answer(ctx, r)
}

// Answer performs one request that came by another way than HTTP and returns
// the reply's body: an object with type and payload.
//
// A client that got no answer, because the manager died, asks again and says so
// in the member again: a decision that was taken then is not a second one.
func (s *Session) Answer(ctx context.Context, r map[string]any) []byte {
	again := r["again"] == true
	delete(r, "again")
	request := string(value.Encode(r))
	if again {
		if answer, ok := s.decidedBy(request); ok {
			return answer
		}
	}
	before := s.hasDecided()
	body := s.perform(ctx, r)
	if !before && s.hasDecided() {
		s.noteDecision(request, string(body))
	}
	if err := s.keep(); err != nil {
		return errorReply(err)
	}
	return body
}

func (s *Session) perform(ctx context.Context, r map[string]any) []byte {
	if name, ok := r["method"].(string); ok {
		params, _ := r["params"].(map[string]any)
		result, err := s.invoke(ctx, name, params)
		if err != nil {
			return errorReply(err)
		}
		return reply("result", result)
	}
	list, there := r["args"]
	if !there {
		return errorReply(failf(keyError, "'args'"))
	}
	args, ok := list.([]any)
	if !ok {
		return errorReply(failf(typeError, "args must be a list, not %s", value.TypeName(list)))
	}
	result, stop, err := s.Eval(ctx, args)
	switch {
	case err != nil:
		return errorReply(err)
	case stop:
		return reply("stop_operation", map[string]any{"message": result})
	}
	return reply("result", result)
}

func reply(kind string, payload any) []byte {
	return value.Encode(map[string]any{"type": kind, "payload": payload})
}

func errorReply(err error) []byte {
	f := failureOf(err)
	message := f.Message
	if message == "" {
		message = err.Error()
	}
	return reply("error", map[string]any{
		"type": f.Type, "message": message, "traceback": f.Type + ": " + message + "\n",
	})
}
