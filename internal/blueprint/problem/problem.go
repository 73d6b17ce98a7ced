// Package problem holds what can be wrong with a blueprint: errors that carry
// the original's class and code, a place in a file, and a next step.
package problem

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is the original's class of an error.
type Kind string

// The kinds. Those of the DSL parser proper carry a numeric code.
const (
	Format    Kind = "DSLParsingFormatException"    // the YAML has not the right shape
	Logic     Kind = "DSLParsingLogicException"     // it has, and means nothing valid
	InputType Kind = "DSLParsingInputTypeException" // a value is not usable as it is
	Parsing   Kind = "DSLParsingException"          // a value given for an input does not fit

	MissingRequiredInput  Kind = "MissingRequiredInputError"
	UnknownInput          Kind = "UnknownInputError"
	InputEvaluation       Kind = "InputEvaluationError"
	Constraint            Kind = "ConstraintException"
	FunctionValidation    Kind = "FunctionValidationError"
	FunctionEvaluation    Kind = "FunctionEvaluationError"
	UnknownSecret         Kind = "UnknownSecretError"
	UnsupportedGetSecret  Kind = "UnsupportedGetSecretError"
	EvaluationRecursion   Kind = "EvaluationRecursionLimitReached"
	UnknownSysEntity      Kind = "UnknownSysEntityError"
	UnknownSysProperty    Kind = "UnknownSysPropertyError"
	IllegalConnectionType Kind = "IllegalConnectedToConnectionType"
	UnsupportedRelation   Kind = "UnsupportedRelationship"
	IllegalAllToOneState  Kind = "IllegalAllToOneState"
	UnsupportedAllToOne   Kind = "UnsupportedAllToOneInGroup"
	KeyMissing            Kind = "KeyError"
	BadValue              Kind = "ValueError"
	Runtime               Kind = "RuntimeError"
	FileNotFound          Kind = "FileNotFoundError"
)

// Place is where in the source something stands. Line and Column count from
// 1; 0 means unknown.
type Place struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Path   string `json:"path,omitempty"` // dotted, such as node_templates.web.type
}

// String gives file:line:column as far as known.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problem is one error or warning about a blueprint.
type Problem struct {
	Kind    Kind           `json:"type"`
	Code    *int           `json:"code"` // nil for kinds without codes
	Message string         `json:"message"`
	Place   Place          `json:"place"`
	Imports []string       `json:"import_chain,omitempty"` // main file first, down to Place.File
	Excerpt string         `json:"excerpt,omitempty"`      // source lines with a caret
	Hint    string         `json:"hint,omitempty"`         // what to do: did you mean, expected shape
	Warning bool           `json:"warning,omitempty"`
	Details map[string]any `json:"details,omitempty"` // property, failed_import, circular_dependency, relationship_types, reason
}

// New makes a problem of a kind without a code.
func New(kind Kind, format string, args ...any) *Problem {
	return &Problem{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Coded makes a problem with one of the original's codes.
func Coded(kind Kind, code int, format string, args ...any) *Problem {
	return &Problem{Kind: kind, Code: &code, Message: fmt.Sprintf(format, args...)}
}

// Reasons of warnings, in Details under reason.
const (
	Unused     = "unused"     // nothing refers to it
	Shadowed   = "shadowed"   // something else takes its place
	Deprecated = "deprecated" // it works, but should be written differently now
)

// Warn makes a warning that has a reason.
func Warn(reason, format string, args ...any) *Problem {
	p := New(Logic, format, args...)
	p.Warning = true
	return p.With("reason", reason)
}

// At sets the place and returns p.
func (p *Problem) At(place Place) *Problem { p.Place = place; return p }

// WithHint sets the next step and returns p.
func (p *Problem) WithHint(format string, args ...any) *Problem {
	p.Hint = fmt.Sprintf(format, args...)
	return p
}

// With sets one detail and returns p.
func (p *Problem) With(key string, v any) *Problem {
	if p.Details == nil {
		p.Details = map[string]any{}
	}
	p.Details[key] = v
	return p
}

// Error is the one-line form: place, message.
func (p *Problem) Error() string {
	if s := p.Place.String(); s != "" {
		return s + ": " + p.Message
	}
	return p.Message
}

// Text is the form for people: place and message, the excerpt, the import
// chain, and the hint.
func (p *Problem) Text() string {
	var b strings.Builder
	if s := p.Place.String(); s != "" {
		b.WriteString(s + ": ")
	}
	if p.Warning {
		b.WriteString("warning: ")
	} else {
		b.WriteString("error: ")
	}
	b.WriteString(p.Message)
	if p.Code != nil {
		fmt.Fprintf(&b, " [%d]", *p.Code)
	}
	b.WriteByte('\n')
	if p.Excerpt != "" {
		b.WriteString(strings.TrimRight(p.Excerpt, "\n") + "\n")
	}
	if len(p.Imports) > 1 {
		b.WriteString("  imported by " + strings.Join(p.Imports[:len(p.Imports)-1], " -> ") + "\n")
	}
	if p.Hint != "" {
		b.WriteString("  " + p.Hint + "\n")
	}
	return b.String()
}

// List is all that was found wrong in one run, in source order. It is an
// error when it holds at least one problem that is not a warning.
type List []*Problem

// Error joins the one-line forms.
func (l List) Error() string {
	lines := make([]string, 0, len(l))
	for _, p := range l {
		if !p.Warning {
			lines = append(lines, p.Error())
		}
	}
	return strings.Join(lines, "\n")
}

// Err returns l as an error, or nil if it holds warnings at most.
func (l List) Err() error {
	for _, p := range l {
		if !p.Warning {
			return l
		}
	}
	return nil
}

// First returns the first problem that is not a warning, or nil.
func (l List) First() *Problem {
	for _, p := range l {
		if !p.Warning {
			return p
		}
	}
	return nil
}

// All gives the problems in err, or nil if it holds none.
func All(err error) List {
	var l List
	if errors.As(err, &l) {
		return l
	}
	var p *Problem
	if errors.As(err, &p) {
		return List{p}
	}
	return nil
}
