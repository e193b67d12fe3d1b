package expression

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// eval evaluates an expression that may take all the steps that there are for one value.
func eval(x *Expression, names map[string]any) (any, error) {
	steps := maxSteps
	return x.Eval(context.Background(), names, &steps)
}

// What expressions are was found out with Python itself, where it has the function.
func TestExpressionsAreWhatPythonMakesOfThem(t *testing.T) {
	record := map[string]any{
		"name": "Rosalind Franklin", "born": int64(1920), "height": 1.65, "list": []any{"b", "a", nil}, "none": nil,
		"text": "\xffABC", "numbers": []any{int64(3), int64(1), 2.5}, "inner": map[string]any{"a": "x"},
	}
	for text, want := range map[string]string{
		`1 + (2 * 3)`: `7`, `"hello" + " world"`: `"hello world"`, `7 // 2`: `3`, `-7 // 2`: `-4`, `-7 % 3`: `2`,
		`7 / 2`: `3.5`, `4 / 2`: `2`, `2 ** 10`: `1024`, `2 ** -1`: `0.5`, `-2 ** 2`: `-4`, `1_000`: `1000`, `1e3`: `1000`,
		`record.name.split(' ')[0]`: `"Rosalind"`, `record.name.split(" ")[-1]`: `"Franklin"`, `record["born"] + 1`: `1921`,
		`record.name[0:4]`: `"Rosa"`, `record.name[-3:]`: `"lin"`, `record.name[:1] + "."`: `"R."`,
		`', '.join(sorted(['b', 'a']))`: `"a, b"`, `record.list[:2]`: `["b","a"]`,
		`"young" if record.born > 1900 else "old"`: `"young"`, `None if value == 'UNASSIGNED' else value`: `"v"`,
		`record.none`: `null`, `record.missing`: `null`, `get(record, "inner.a")`: `"x"`, `get(record, "no", 3)`: `3`,
		`record.get("born")`: `1920`, `sum(i for i in range(100))`: `4950`,
		`[x * 2 for x in record.numbers if x > 1]`: `[6,5]`, `[i + j for i in [1, 2] for j in [10, 20]]`: `[11,21,12,22]`,
		`[y for x in [["a"], ["b", "c"]] for y in x]`: `["a","b","c"]`,
		`len(record.name)`:                            `17`, `len("é")`: `1`, `max(record.numbers)`: `3`, `min(2, 1)`: `1`, `round(2.675, 2)`: `2.67`,
		`round(2.5)`: `2`, `int("12") + int(3.9)`: `15`, `float("1.5")`: `1.5`, `str(1.0)`: `"1.0"`, `str(None)`: `"None"`,
		`str(True) + str(3)`: `"True3"`, `bool("")`: `false`, `not record.none`: `true`, `1 < 2 < 3`: `true`, `1 < 3 < 2`: `false`,
		`"a" in record.list`: `true`, `"z" not in "abc"`: `true`, `record.none is None`: `true`, `1 is not None`: `true`,
		`record.none or "other"`: `"other"`, `record.name and 1`: `1`, `"a" "b"`: `"ab"`, `'it\'s'`: `"it's"`,
		"'''two\nlines'''": `"two\nlines"`, `{"a": 1, 'b': [2]}`: `{"a":1,"b":[2]}`, `(1, 2)`: `[1,2]`, `()`: `[]`,
		`"a-b".replace("-", "_").upper()`: `"A_B"`, `"  x ".strip()`: `"x"`, `"xxa".lstrip("x")`: `"a"`, `"7".zfill(3)`: `"007"`,
		`"abc".find("c")`: `2`, `"hello wORLD".title()`: `"Hello World"`, `"hELLO".capitalize()`: `"Hello"`,
		`any([0, 1])`: `true`, `all([])`: `true`, `abs(-3)`: `3`, `floor(1.9)`: `1`, `list("ab")`: `["a","b"]`, `set([1, 1, 2])`: `[1,2]`,
		`concat("a", None, 1)`: `"a1"`, `"ab" * 2`: `"abab"`, `1 == 1.0`: `true`, `abs(-9007199254740993)`: `9007199254740993`, `"aéb"[1:]`: `"éb"`, `"aéb"[-2]`: `"é"`,
		`[len(x) for x in record.text.split("\xff")]`: `[4]`, `record.text.capitalize()[1:]`: `"abc"`,
		`range(9223372036854775805, 9223372036854775807, 5)`: `[9223372036854775805]`, `[1, 2] == [1, 2]`: `true`, `+3 - -2`: `5`,
	} {
		x, err := Parse(text, "record", "value")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := eval(x, map[string]any{"record": record, "value": "v"})
		out, _ := json.Marshal(got)
		if err != nil || string(out) != want {
			t.Errorf("%s: %s, %v; want %s", text, out, err, want)
		}
	}
}

func TestWhatIsNotSupportedIsRefusedByName(t *testing.T) {
	for text, why := range map[string]string{
		``: "too early", `1 +`: "too early", `a`: "name a", `dataset_query("x")`: "dataset_query()", `"x".encode()`: "encode()",
		`round(1.5, ndigits=1)`: "ndigits=", `lambda x: x`: "lambda", `1 2`: "'2' at character 3", `"abc`: "does not end",
		`[1, 2`: "','", `a = 1`: "name a", `__import__("os")`: "__import__()", `x for x in [1]`: "name x", `1 @ 2`: "'@'",
		`[x for x in [1]] + [x]`: "name x", strings.Repeat("(", 200) + "1": "nested", strings.Repeat("-", 200) + "1": "nested",
		strings.Repeat("not ", 200) + "1": "nested", strings.Repeat("1+", 20_000) + "1": "bytes",
	} {
		if _, err := Parse(text, "record"); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.40s: %v, want %s", text, err, why)
		}
	}
}

func TestAnExpressionThatFailsSaysWhy(t *testing.T) {
	for text, why := range map[string]string{
		`1 / 0`: "division by zero", `1 % 0`: "division by zero", `"a" + 1`: "str and int", `record.a.b`: "None has no .b",
		`[1][3]`: "no item 3 in 1", `int("x")`: "not a whole number", `9223372036854775807 + 1`: "64 bits",
		`9223372036854775807 * 2`: "64 bits", `2 ** 64`: "64 bits", `"a" < 1`: "str and int", `max([])`: "empty",
		`sum(1 for x in range(900000) for y in range(900000))`: "steps", `"x" * 100000000`: "too large",
		`range(10000000)`: "too large", `", ".join([1])`: "int is among them", `len()`: "arguments", `sqrt(-1)`: "not defined",
		`"ab".split("")`: "at nothing", `record.lower()`: "dict has no such method", `sorted([1, "a"])`: "str and int",
	} {
		x, err := Parse(text, "record")
		if err == nil {
			_, err = eval(x, map[string]any{"record": map[string]any{}})
		}
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %s", text, err, why)
		}
	}
}

// A reader of one dataset must not use up the memory or the time of all: what an expression makes counts, also where it
// makes little at a time, or the same list is in another many times.
func TestAnExpressionTakesNoMoreThanItsSteps(t *testing.T) {
	long := map[string]any{"s": strings.Repeat("a", 1_000_000)}
	for text, why := range map[string]string{
		`["a" * 10000000 for i in range(1000)]`: "steps", `[record.s for i in range(1000000)]`: "steps",
		`[record.s[1:] for i in range(1000)]`: "steps", `[len(range(300000)) for i in range(1000)]`: "steps",
		`[[[z for i in range(1000)] for z in [[y for j in range(1000)]]] for y in [range(1000)]]`: "steps",
		`{"a": [x for i in range(1000) for x in [range(1000)]]}`:                                  "steps",
		`record.s.join(list(record.s[:1000]))`:                                                    "too large", `concat(record.s, record.s) * 5 + record.s`: "too large",
		`record.s.replace("a", "aaaaaaaaaaa")`: "too large", `[record.s == record.s for i in range(1000000)]`: "steps",
	} {
		x, err := Parse(text, "record")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := eval(x, map[string]any{"record": long}); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: a %s, %v, want %s", text, typeOf(got), err, why)
		}
	}
	x, err := Parse(`len([record.s[i] for i in range(5)] + list(record.s[:10000])) + len(record.s[1:])`, "record")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := eval(x, map[string]any{"record": long}); err != nil || got != int64(1_010_004) {
		t.Errorf("what fits: %v, %v", got, err)
	}
}

// What an expression makes and looks through is bounded in all, however little of it each part makes: otherwise one
// takes all of the server's memory, or keeps it busy for hours.
func TestWhatAnExpressionMakesIsBounded(t *testing.T) {
	for _, text := range []string{
		`["x" * 9000000 + str(i) for i in range(1000)]`, `[range(900000) for i in range(1000)]`,
		`",".join([y for y in ["x" * 9000000] for i in range(1000)])`, `concat(` + strings.Repeat(`"x" * 9000000,`, 900) + `1)`,
		`[a for a in [[b for b in [[c for c in [range(900)] for i in range(900)]] for j in range(900)]] for k in range(900)]`,
		`[x == y for x in [range(9000)] for y in [range(9000)] for i in range(9000)]`, `["x" * 9000000][0].split("x")`,
		`[x in y for y in ["x" * 9000000] for x in ["xy"] for i in range(90000)]`, `{x: 1 for x in [1]}`,
		`[sorted(x) for x in [range(9000)] for i in range(9000)]`, `("x" * 9000000).split()` + strings.Repeat(`[0].split()`, 90),
		`"a"` + strings.Repeat(`.replace("a", "a" + "b" * 9000000)`, 400), strings.Repeat("2 ** ", 3000) + "1",
		"[1 " + strings.Repeat("for x in [1] ", 1000) + "]", `[str(x) for x in [range(9000)] for i in range(9000)]`,
	} {
		x, err := Parse(text, "record")
		if err == nil {
			_, err = eval(x, map[string]any{})
		}
		if err == nil {
			t.Errorf("%.60s: it was evaluated", text)
		}
	}
	if _, err := Parse("[" + strings.Repeat("1,", 9000) + "1]"); err != nil {
		t.Errorf("a long list: %v", err)
	}
	x, err := Parse(`[i for i in range(1000)]`)
	if err != nil {
		t.Fatal(err)
	}
	steps := 10_000
	for range 100 {
		if _, err = x.Eval(context.Background(), nil, &steps); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrSteps) {
		t.Errorf("more steps than there are for all: %v", err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	steps = maxSteps
	if x, err = Parse(`[i for i in range(10000)]`); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Eval(gone, nil, &steps); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits: %v", err)
	}
}
