package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// misread returns what makes no sense in a command line, where the parser's own words do not say what to write instead.
func misread(parser *kong.Kong, args []string, err error) error {
	command := commandOf(parser, args)
	said := err.Error()
	switch verbs := verbsOf(nodeOf(parser, args)); {
	case command == "rowback" && flagFirst.MatchString(said):
		err = fmt.Errorf("%s goes behind the command, as in: rowback dataset list %[1]s VALUE",
			flagFirst.FindStringSubmatch(said)[1])
	case namesDatasetByFlag(command, err):
		err = errors.New("the dataset is named without a flag: " + command + " NAME")
	case command == "rowback" && unknownVerb.MatchString(said):
		return fmt.Errorf("unknown command %s. Run rowback help for a list of commands", unknownVerb.FindStringSubmatch(said)[1])
	case verbs != "" && unknownVerb.MatchString(said):
		err = fmt.Errorf("%w: the verbs of %s are %s", err, command, verbs)
	case missingValue.MatchString(said):
		err = errors.New(missingValue.FindStringSubmatch(said)[1] + " needs a value")
	case missingWord.MatchString(said):
		err = errors.New(missingWord.FindStringSubmatch(said)[1] + " is missing")
	case notANumber.MatchString(said):
		m := notANumber.FindStringSubmatch(said)
		err = fmt.Errorf("%s must be a number, not %s", m[1], m[2])
	}
	return fmt.Errorf("%w (see %s --help)", err, command)
}

// flagFirst matches the refusal of a flag that every command about a server has, where it stands before the command.
var flagFirst = regexp.MustCompile(`^unknown flag (--(?:server|api-key|profile|project-id))\b`)

// missingValue matches what the parser says of a flag at the end of the line.
var missingValue = regexp.MustCompile(`^(--[a-z0-9-]+): expected .* value but got "EOL"`)

// missingWord matches what the parser says where a word is missing, and notANumber where one should be a number.
var (
	missingWord = regexp.MustCompile(`^expected "(<[^"]*)"$`)
	notANumber  = regexp.MustCompile(`^(\S+): expected a valid \d+ bit int but got "(.*)"$`)
)

// unknownVerb matches the refusal of a word that is not a verb and not like one.
var unknownVerb = regexp.MustCompile(`^unexpected argument (\S+)$`)

// namesDatasetByFlag reports whether a command line was refused since it names the dataset that it is about as commands
// about what a dataset has do.
func namesDatasetByFlag(command string, err error) bool {
	return (command == "rowback dataset" || strings.HasPrefix(command, "rowback dataset ")) &&
		(strings.Contains(err.Error(), "unknown flag -d") || strings.Contains(err.Error(), "unknown flag --dataset"))
}
