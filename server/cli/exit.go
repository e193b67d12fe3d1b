package cli

import (
	"errors"
	"net/http"
)

// Exit codes by what the caller can do about a failure. check, repair and doctor have their own, which their help
// names.
const (
	exitFailed       = 1 // the answer is no, or another failure
	exitUsage        = 2 // the command line makes no sense
	exitRefused      = 3 // no valid token, or a role that is not enough
	exitNotFound     = 4
	exitConflict     = 5 // it exists, is blocked, or has changed meanwhile
	exitInvalid      = 6 // the server refuses what it was given
	exitUnavailable  = 7 // no answer, or not now: try again
	exitServerFailed = 8
)

// exitCodes explains the codes, for the help and the manual pages.
const exitCodes = "Exit codes: 0 done; 1 the answer is no, or another failure; 2 the command line makes no sense; " +
	"3 no valid token, or not the role; 4 not found; 5 conflict: it exists, is blocked or has changed; 6 invalid input; " +
	"7 the server can't be reached or is busy; 8 the server failed."

// exitByStatus has the exit code for each status of a refusal.
var exitByStatus = map[int]int{
	http.StatusBadRequest: exitInvalid, http.StatusNotAcceptable: exitInvalid,
	http.StatusRequestEntityTooLarge: exitInvalid, http.StatusUnsupportedMediaType: exitInvalid,
	http.StatusUnprocessableEntity: exitInvalid, http.StatusRequestedRangeNotSatisfiable: exitInvalid,
	http.StatusUnauthorized: exitRefused, http.StatusForbidden: exitRefused,
	http.StatusNotFound: exitNotFound, http.StatusGone: exitNotFound,
	http.StatusConflict: exitConflict, http.StatusPreconditionFailed: exitConflict,
	http.StatusRequestTimeout: exitUnavailable, http.StatusTooManyRequests: exitUnavailable,
	http.StatusBadGateway: exitUnavailable, http.StatusServiceUnavailable: exitUnavailable,
	http.StatusGatewayTimeout: exitUnavailable, http.StatusInsufficientStorage: exitUnavailable,
	http.StatusInternalServerError: exitServerFailed,
}

// exitCodeOf returns the exit code for how a command ended.
func exitCodeOf(err error) int {
	var exit exitError
	var refused *problem
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &refused) && exitByStatus[refused.Status] != 0:
		return exitByStatus[refused.Status]
	}
	return exitFailed
}
