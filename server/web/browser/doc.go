// Package browser has the tests of the pages, in a real Chromium that is driven as a person would: by the names of what
// is on the screen. Every test also fails on an error in the console, on a request to anywhere but the server, and on an
// answer 5xx.
//
// The tests need Chromium, as $CHROMIUM or on the path: without it they are skipped, unless $CHROMIUM is set. They start
// the program $ROWBACK_BIN; without that they build it. Accessibility is checked with axe-core, from the application's
// node_modules.
package browser
