// Package stdio runs operations of plugins in any language: an executable that
// speaks a small protocol over its standard input and output. See
// docs/protocol-plugins.md.
//
// A plugin is a folder with a manifest. Each operation gets a process of its
// own, with a group and a run directory, so whatever it does ends only itself.
package stdio
